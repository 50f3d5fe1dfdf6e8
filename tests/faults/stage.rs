//! Everything that a setting needs: the far end, the proxy before it, the arguments of a bridge. It must not judge.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::bridge::Bridge;
use crate::case::{Access, Case, Era, Fault, Leg, Setting, Side, Transport};
use crate::far::Far;
use crate::proxy::{Arm, Proxy, Wanted};
use crate::units::{body_len, frame_len, head_len};

/// How long a stream may take to come to its end in a rehearsal.
const COMPLETE: std::time::Duration = std::time::Duration::from_secs(5);

/// The servers of a setting and the way to them.
pub struct Stage {
    /// Who talks to whom.
    pub setting: Setting,
    /// The servers.
    pub far: Far,
    /// The way to them.
    pub proxy: Arc<Proxy>,
    args: Vec<String>,
    folder: TempDir,
    texts: usize,
    homes: usize,
}

impl Stage {
    /// All of that setting, running. The bridge gets more arguments.
    pub async fn set(setting: Setting, more: &[String]) -> Self {
        let far = Far::new(setting);
        let proxy = Arc::new(Proxy::default());
        let http = proxy.door(far.http()).await;
        let (url, resource) = match far.websocket() {
            Some(server) => {
                let door = proxy.door(server).await;
                (format!("ws://{door}/mcp"), format!("http://{door}/mcp"))
            }
            None => {
                let path = match setting.transport {
                    Transport::Sse => "sse",
                    _ => "mcp",
                };
                let url = format!("http://{http}/{path}");
                (url.clone(), url)
            }
        };
        far.seen_at(http, &resource);
        let folder = TempDir::new().expect("a folder");
        let mut args = vec![url];
        if setting.access == Access::Token {
            let secret = folder.path().join("secret");
            std::fs::write(&secret, "a secret\n").expect("write the secret");
            let options = [
                "--client-credentials",
                "--client-id",
                "machine",
                "--client-secret-file",
            ];
            args.extend(options.map(str::to_owned));
            args.push(secret.display().to_string());
        }
        args.extend_from_slice(more);
        Self {
            setting,
            far,
            proxy,
            args,
            folder,
            texts: 0,
            homes: 0,
        }
    }

    /// A bridge with a home of its own, which has said nothing yet.
    pub fn bridge(&mut self) -> Bridge {
        self.homes += 1;
        let home: PathBuf = self.folder.path().join(format!("home-{}", self.homes));
        std::fs::create_dir(&home).expect("a home");
        self.start(&home)
    }

    /// A bridge in a home where another one has been.
    pub fn start(&self, home: &Path) -> Bridge {
        Bridge::start(self.setting.client, home, &self.args)
    }

    /// A text that no other call says, not even with one byte changed.
    pub fn text(&mut self) -> String {
        self.texts += 1;
        format!("call-{0:06}-{0:06}", self.texts)
    }

    /// Which request a leg begins with. `text` is what the disturbed call says.
    pub fn wanted(&self, leg: Leg, text: &str) -> Wanted {
        let hello = |era| match era {
            Era::Legacy => Wanted::Says("\"initialize\"".to_owned()),
            Era::Modern => Wanted::Says("\"server/discover\"".to_owned()),
        };
        match (leg, self.setting.transport) {
            (Leg::Call, _) => Wanted::Says(text.to_owned()),
            (Leg::Hello, _) => hello(self.setting.client),
            (Leg::Second, Transport::Sse) => Wanted::Begins("POST /messages"),
            (Leg::Second, _) => hello(self.setting.server),
            (Leg::Open, Transport::Sse) => Wanted::Begins("GET /sse"),
            (Leg::Open, _) => Wanted::Begins("GET /mcp"),
            (Leg::Resource, _) => Wanted::Begins("GET /.well-known/oauth-protected-resource"),
            (Leg::Issuer, _) => Wanted::Begins("GET /.well-known/oauth-authorization-server"),
            (Leg::Token | Leg::Renew, _) => Wanted::Begins("POST /token"),
        }
    }

    /// Arms the proxy for a case.
    pub fn arm(&self, case: &Case, text: &str) -> Arc<Arm> {
        let fault = Some((case.side, case.fault, case.at));
        self.armed(case.leg, text, fault)
    }

    /// Arms it for nothing but a look.
    pub fn look(&self, leg: Leg, text: &str) -> Arc<Arm> {
        self.armed(leg, text, None)
    }

    fn armed(&self, leg: Leg, text: &str, fault: Option<(Side, Fault, usize)>) -> Arc<Arm> {
        let arm = Arm::new(self.wanted(leg, text), fault);
        self.proxy.arm(&arm);
        arm
    }
}

/// Waits until what came back is whole, and gives it.
pub async fn whole(arm: &Arm, side: Side) -> Vec<u8> {
    let shelf = match side {
        Side::Request => &arm.request,
        Side::Answer => &arm.answer,
        Side::Events => &arm.events,
    };
    let end = tokio::time::Instant::now() + COMPLETE;
    loop {
        let bytes = crate::support::gate::lock(shelf).clone();
        if side == Side::Request {
            return bytes;
        }
        if let Some(len) = complete(&bytes) {
            return bytes[..len].to_vec();
        }
        if tokio::time::Instant::now() > end {
            return bytes;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// Where an answer ends: an HTTP response, the first event of a stream that goes on, a frame.
fn complete(bytes: &[u8]) -> Option<usize> {
    const EVENT: &[u8] = b"\n\n\r\n";
    const CHUNKS: &[u8] = b"\r\n0\r\n\r\n";
    if !bytes.starts_with(b"HTTP/1.1") {
        let is_frame = bytes.first().is_some_and(|first| first & 0x80 != 0);
        if is_frame {
            return frame_len(bytes).filter(|len| *len <= bytes.len());
        }
        return find(bytes, EVENT);
    }
    let head = head_len(bytes)?;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        // The stream of HTTP+SSE does not end.
        return match find(bytes, CHUNKS) {
            Some(end) => Some(end),
            None => find(bytes, EVENT).filter(|_| find(bytes, b"event: endpoint").is_some()),
        };
    }
    let len = head + body_len(&bytes[..head]).unwrap_or(0);
    (len <= bytes.len()).then_some(len)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let at = bytes.windows(wanted.len()).position(|own| own == wanted)?;
    Some(at + wanted.len())
}

//! A TCP proxy that passes everything on as it is, but for the one exchange that an arm waits for. It must not know what any
//! of it means.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::case::{Fault, Side};
use crate::support::gate::{Gate, lock};
use crate::units::{Unit, Units, contains};

/// Between the bytes of a slow connection.
const SLOWLY: Duration = Duration::from_millis(40);

/// Between the pieces of what is split: long enough not to arrive as one.
const PIECE: Duration = Duration::from_millis(2);

/// Which request an arm waits for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// One that says this.
    Says(String),
    /// One whose first line begins like this.
    Begins(&'static str),
}

/// One fault that waits for its exchange, and what became of it.
pub struct Arm {
    /// Which request.
    pub wanted: Wanted,
    /// Which way the bytes go; `None` disturbs nothing.
    pub fault: Option<(Side, Fault, usize)>,
    /// Opens when the request has come.
    pub met: Gate,
    /// Opens when the fault has happened.
    pub fired: Gate,
    /// The test opens it when the fault is to end.
    pub over: Gate,
    /// The request as it was sent.
    pub request: Mutex<Vec<u8>>,
    /// What came back on that connection.
    pub answer: Mutex<Vec<u8>>,
    /// What came on the event stream since.
    pub events: Mutex<Vec<u8>>,
}

impl Arm {
    /// One that waits for that request.
    pub fn new(wanted: Wanted, fault: Option<(Side, Fault, usize)>) -> Arc<Self> {
        Arc::new(Self {
            wanted,
            fault,
            met: Gate::new(),
            fired: Gate::new(),
            over: Gate::new(),
            request: Mutex::default(),
            answer: Mutex::default(),
            events: Mutex::default(),
        })
    }

    fn wants(&self, unit: &Unit) -> bool {
        let limited = matches!(self.fault, Some((_, Fault::Limit, _)));
        if limited && self.met.is_open() {
            return true;
        }
        match &self.wanted {
            Wanted::Says(text) => contains(&unit.said, text.as_bytes()),
            Wanted::Begins(line) => !unit.frame && unit.bytes.starts_with(line.as_bytes()),
        }
    }

    /// The fault for bytes that go this way, while it lasts.
    fn on(&self, side: Side) -> Option<(Fault, usize)> {
        let (own, fault, at) = self.fault?;
        (own == side && !self.over.is_open()).then_some((fault, at))
    }
}

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Closed,
    Reset,
}

/// One connection.
struct Conn {
    ending: watch::Sender<Option<Ending>>,
    /// What is done to the bytes to the bridge, and how many have passed.
    plan: Mutex<Option<(Arc<Arm>, Side, usize)>>,
}

impl Conn {
    fn end(&self, ending: Ending) {
        self.ending.send_replace(Some(ending));
    }
}

/// Whether more may be written.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Over,
}

/// A proxy with any number of doors, each to a server of its own.
#[derive(Default)]
pub struct Proxy {
    armed: Mutex<Option<Arc<Arm>>>,
    /// The connection of the newest event stream.
    events: Mutex<Weak<Conn>>,
    closed: AtomicBool,
}

impl Proxy {
    /// Opens a door to that server and gives its address.
    pub async fn door(self: &Arc<Self>, server: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let proxy = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Some(proxy) = proxy.upgrade() else { return };
                if proxy.closed.load(Ordering::SeqCst) {
                    return;
                }
                tokio::spawn(async move { proxy.carry(client, server).await });
            }
        });
        address
    }

    /// Lets a fault wait for its exchange.
    pub fn arm(&self, arm: &Arc<Arm>) {
        *lock(&self.armed) = Some(Arc::clone(arm));
    }

    /// Ends a fault: what it held comes now, and nothing is disturbed any more.
    pub fn disarm(&self, arm: &Arm) {
        *lock(&self.armed) = None;
        arm.over.open();
    }

    async fn carry(&self, mut client: TcpStream, server: SocketAddr) {
        let Ok(mut server) = TcpStream::connect(server).await else {
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let conn = Arc::new(Conn {
            ending: watch::Sender::new(None),
            plan: Mutex::default(),
        });
        let mut ending = conn.ending.subscribe();
        let resets = {
            let ((from_client, to_client), (from_server, to_server)) =
                (client.split(), server.split());
            let pumps = async {
                tokio::join!(
                    self.up(from_client, to_server, &conn),
                    self.down(from_server, to_client, &conn)
                )
            };
            tokio::select! {
                biased;
                ended = ending.wait_for(Option::is_some) => {
                    ended.is_ok_and(|ending| *ending == Some(Ending::Reset))
                }
                _ = pumps => false,
            }
        };
        if resets {
            // With no time to linger, closing sends a reset.
            let _ = (client.set_zero_linger(), server.set_zero_linger());
        }
    }

    /// From the bridge to the server, message by message.
    async fn up(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, conn: &Arc<Conn>) {
        let mut units = Units::default();
        let mut buffer = vec![0; 16 << 10];
        loop {
            while let Some(unit) = units.next() {
                if self.request(unit, &mut to, conn).await == Flow::Over {
                    return drain(&mut from, &mut buffer).await;
                }
            }
            match from.read(&mut buffer).await {
                Ok(0) => {
                    let _ = to.write_all(&units.rest()).await;
                    let _ = to.shutdown().await;
                    return;
                }
                Ok(count) => units.push(&buffer[..count]),
                Err(_) => return conn.end(Ending::Reset),
            }
        }
    }

    async fn request(&self, unit: Unit, to: &mut WriteHalf<'_>, conn: &Arc<Conn>) -> Flow {
        if contains(&unit.said, b"\r\naccept: text/event-stream")
            && unit.said.starts_with(b"GET /sse")
        {
            *lock(&self.events) = Arc::downgrade(conn);
        }
        if !unit.frame {
            *lock(&conn.plan) = None;
        }
        let Some(arm) = self.take(&unit) else {
            return written(&to.write_all(&unit.bytes).await, conn);
        };
        lock(&arm.request).clone_from(&unit.bytes);
        *lock(&conn.plan) = Some((Arc::clone(&arm), Side::Answer, 0));
        let events = lock(&self.events).upgrade();
        if let Some(events) = events.filter(|events| !Arc::ptr_eq(events, conn)) {
            *lock(&events.plan) = Some((Arc::clone(&arm), Side::Events, 0));
        }
        arm.met.open();
        let mut bytes = unit.bytes;
        disturb(&arm, Side::Request, 0, &mut bytes, (to, conn)).await
    }

    /// The arm that waits for that request.
    fn take(&self, unit: &Unit) -> Option<Arc<Arm>> {
        let mut armed = lock(&self.armed);
        let arm = armed.clone().filter(|arm| arm.wants(unit))?;
        if !matches!(arm.fault, Some((_, Fault::Limit, _))) {
            *armed = None;
        }
        Some(arm)
    }

    /// From the server to the bridge, as it comes.
    async fn down(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, conn: &Arc<Conn>) {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let count = match from.read(&mut buffer).await {
                Ok(0) => {
                    let _ = to.shutdown().await;
                    return;
                }
                Ok(count) => count,
                Err(_) => return conn.end(Ending::Reset),
            };
            let plan = lock(&conn.plan).clone();
            let flow = match plan {
                None => written(&to.write_all(&buffer[..count]).await, conn),
                Some((arm, side, passed)) => {
                    let mut bytes = buffer[..count].to_vec();
                    let seen = match side {
                        Side::Events => &arm.events,
                        _ => &arm.answer,
                    };
                    lock(seen).extend_from_slice(&bytes);
                    let flow = disturb(&arm, side, passed, &mut bytes, (&mut to, conn)).await;
                    if let Some((own, _, passed)) = &mut *lock(&conn.plan)
                        && Arc::ptr_eq(own, &arm)
                    {
                        *passed += count;
                    }
                    flow
                }
            };
            if flow == Flow::Over {
                return drain(&mut from, &mut buffer).await;
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

/// Reads what nobody gets any more.
async fn drain(from: &mut ReadHalf<'_>, buffer: &mut [u8]) {
    while from.read(buffer).await.is_ok_and(|count| count > 0) {}
}

fn written(outcome: &std::io::Result<()>, conn: &Conn) -> Flow {
    if outcome.is_ok() {
        return Flow::On;
    }
    conn.end(Ending::Reset);
    Flow::Over
}

/// Where a fault meets these bytes, the first of which is number `passed`.
fn meets(fault: Fault, at: usize, passed: usize, count: usize) -> Option<usize> {
    let here = at.checked_sub(passed)?;
    let meets = match fault {
        // There has to be a byte to be changed.
        Fault::Flip | Fault::Garble => here < count,
        // At once after the byte, without a look at what follows.
        _ => here <= count && (here > 0 || at == 0),
    };
    meets.then_some(here)
}

/// Passes bytes on as the arm says.
async fn disturb(
    arm: &Arm,
    side: Side,
    passed: usize,
    bytes: &mut [u8],
    (to, conn): (&mut WriteHalf<'_>, &Conn),
) -> Flow {
    let Some((fault, at)) = arm.on(side) else {
        return written(&to.write_all(bytes).await, conn);
    };
    if matches!(fault, Fault::Slow | Fault::Drip) {
        arm.fired.open();
        return crawl(arm, at.saturating_sub(passed), bytes, (to, conn), fault).await;
    }
    let Some(here) = meets(fault, at, passed, bytes.len()) else {
        return written(&to.write_all(bytes).await, conn);
    };
    match fault {
        Fault::Flip => bytes[here] ^= 1,
        Fault::Garble => bytes[here] ^= 0x80,
        _ => {}
    }
    let (before, after) = bytes.split_at(here);
    if written(&to.write_all(before).await, conn) == Flow::Over {
        return Flow::Over;
    }
    arm.fired.open();
    match fault {
        Fault::Cut | Fault::Limit => conn.end(Ending::Closed),
        Fault::Reset => conn.end(Ending::Reset),
        Fault::Close => {
            let _ = to.shutdown().await;
            return Flow::Over;
        }
        Fault::Stall | Fault::Hold => arm.over.opened().await,
        Fault::Dead => std::future::pending().await,
        Fault::Split => tokio::time::sleep(PIECE).await,
        _ => {}
    }
    if matches!(fault, Fault::Cut | Fault::Limit | Fault::Reset) {
        return Flow::Over;
    }
    written(&to.write_all(after).await, conn)
}

/// The first bytes at once, then one at a time, until the fault is over.
async fn crawl(
    arm: &Arm,
    free: usize,
    bytes: &[u8],
    (to, conn): (&mut WriteHalf<'_>, &Conn),
    fault: Fault,
) -> Flow {
    let (free, rest) = bytes.split_at(free.min(bytes.len()));
    if written(&to.write_all(free).await, conn) == Flow::Over {
        return Flow::Over;
    }
    for byte in rest {
        if fault == Fault::Drip {
            tokio::task::yield_now().await;
        } else {
            let _ = tokio::time::timeout(SLOWLY, arm.over.opened()).await;
        }
        if written(&to.write_all(&[*byte]).await, conn) == Flow::Over {
            return Flow::Over;
        }
    }
    Flow::On
}

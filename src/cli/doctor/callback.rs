//! The port that the browser comes back to: whether it can be had, and if not, why.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::check::Finding;
use super::patient::Patient;
use super::sign_in;
use crate::auth::loopback::{Host, Listener, NotBound, Port};
use crate::error::Exit;

/// The port that the browser comes back to.
pub async fn port(patient: &Patient<'_>) -> Finding {
    let Some(oauth) = patient.oauth() else {
        return sign_in::no_sign_in(patient);
    };
    let given = oauth.options().callback.port;
    let wanted = match &patient.examined {
        Some(examined) => examined.callback,
        // Whether it will be needed is not known; whether it can be had is.
        None => given.map(|port| {
            (
                oauth.options().callback.host.unwrap_or(Host::Ipv4),
                Port::Exactly(port),
            )
        }),
    };
    if !oauth.grant().needs_person() {
        return Finding::skip("tokens are had without a browser");
    }
    let Some((host, port)) = wanted else {
        return match &patient.examined {
            Some(_) => Finding::skip("signing in is by a code on any device"),
            None => sign_in::no_sign_in(patient),
        };
    };
    let path = &oauth.options().callback.path;
    let (number, wish) = match port {
        Port::Any => (None, Port::Any),
        Port::Exactly(number) | Port::Preferred(number) => (Some(number), Port::Exactly(number)),
    };
    match (Listener::bind(host, wish, path).await, number) {
        (Ok(listener), None) => {
            let port = listener.port();
            Finding::ok(format!("any free port, {port} for one")).with("port", port)
        }
        (Ok(_), Some(number)) => Finding::ok(format!("port {number} is free")).with("port", number),
        (Err(NotBound::Port { why, .. }), Some(number)) => {
            no_port((port, number), &why).await.with("port", number)
        }
        (Err(wrong), _) => Finding::of_failure(&wrong.into()),
    }
}

/// The port that is wanted cannot be had.
async fn no_port((port, number): (Port, u16), why: &io::Error) -> Finding {
    let (fault, told, hint) = match why.kind() {
        io::ErrorKind::AddrInUse => {
            let told = format!("is taken: {}", holder(number).await);
            let hint = format!("{}; or give another port after the URL", look(number));
            ("port-taken", told, hint)
        }
        kind => {
            let fault = match kind {
                io::ErrorKind::PermissionDenied => "port-denied",
                io::ErrorKind::AddrNotAvailable => "no-address",
                _ => "port",
            };
            let (why, hint) = NotBound::told(why);
            (fault, format!("cannot be had: {why}"), hint.to_owned())
        }
    };
    let finding = if let Port::Preferred(_) = port {
        let told = format!(
            "port {number}, which is registered, {told}; another one is taken and registered anew"
        );
        Finding::warn(told, hint)
    } else {
        let told = format!("port {number}, which the browser comes back to, {told}");
        Finding::fail(Exit::Auth, told, hint)
    };
    finding.fault(fault)
}

/// Who may hold a port: what answers like the end of a sign-in is one of us.
async fn holder(port: u16) -> &'static str {
    let asked = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .ok()?;
        let request = format!("GET / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = vec![0; 4096];
        let length = tokio::io::AsyncReadExt::read(&mut stream, &mut answer)
            .await
            .ok()?;
        let answer = String::from_utf8_lossy(answer.get(..length)?).to_ascii_lowercase();
        Some(answer.contains("mcp-tether"))
    };
    match tokio::time::timeout(Duration::from_secs(1), asked).await {
        Ok(Some(true)) => "a mcp-tether that is signing in may hold it",
        _ => "another program holds it, or another sign-in",
    }
}

fn look(port: u16) -> String {
    if cfg!(windows) {
        format!("see who holds it with: netstat -ano | findstr :{port}")
    } else if cfg!(target_os = "linux") {
        format!("see who holds it with: ss -ltnp 'sport = :{port}'")
    } else {
        format!("see who holds it with: lsof -nP -iTCP:{port} -sTCP:LISTEN")
    }
}

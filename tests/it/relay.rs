//! A small man in the middle for the network tests: an HTTP proxy, a SOCKS5 proxy, or a plain
//! relay on another address. Whatever it is asked for, it connects to one server.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use crate::support::gate::Shelf;

/// What the relay speaks to its clients.
#[derive(Clone, Copy)]
pub enum Kind {
    /// An HTTP proxy: CONNECT, or a request with the whole URL.
    Http,
    /// An HTTP proxy that wants other credentials (407).
    HttpRefusing,
    /// An HTTP proxy that wants credentials of this kind (407).
    HttpWants(&'static str),
    /// SOCKS5 without credentials.
    Socks,
    /// Nothing of its own.
    Plain,
}

/// The first words of one connection.
#[derive(Clone, Debug)]
pub struct Heard(pub String);

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A running relay; it lives until the test process ends.
pub struct Relay {
    pub address: SocketAddr,
    heard: Arc<Shelf<Heard>>,
}

impl Relay {
    /// A relay on 127.0.0.1.
    pub fn new(kind: Kind, server: SocketAddr) -> Self {
        Self::on("127.0.0.1", kind, server).expect("a port on 127.0.0.1")
    }

    /// A relay on another address; an error where this machine has no such address.
    pub fn on(host: &str, kind: Kind, server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((host, 0))?;
        let address = listener.local_addr()?;
        let heard: Arc<Shelf<Heard>> = Arc::default();
        let shelf = Arc::clone(&heard);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shelf = Arc::clone(&shelf);
                // A client that leaves early is for its test to judge.
                std::thread::spawn(move || serve(client, kind, server, &shelf));
            }
        });
        Ok(Self { address, heard })
    }

    /// The first words of each connection so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard
            .with(|all| all.iter().map(|one| one.0.clone()).collect())
    }
}

fn serve(
    mut client: TcpStream,
    kind: Kind,
    server: SocketAddr,
    heard: &Shelf<Heard>,
) -> io::Result<()> {
    let mut ahead = Vec::new();
    match kind {
        Kind::Plain => heard.push(Heard("a connection".to_owned())),
        Kind::Socks => heard.push(Heard(socks(&mut client)?)),
        Kind::Http | Kind::HttpRefusing | Kind::HttpWants(_) => {
            let head = head(&mut client)?;
            heard.push(Heard(head.clone()));
            let wanted = match kind {
                Kind::HttpRefusing => Some("Basic realm=\"p\""),
                Kind::HttpWants(wanted) => Some(wanted),
                _ => None,
            };
            if let Some(wanted) = wanted {
                let refusal = format!(
                    "HTTP/1.1 407 Proxy Authentication Required\r\n\
                    proxy-authenticate: {wanted}\r\ncontent-length: 0\r\n\
                    connection: close\r\n\r\n"
                );
                return client.write_all(refusal.as_bytes());
            }
            if head.starts_with("CONNECT ") {
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            } else {
                // A server has to take the whole URL as well (RFC 9112 §3.2.2).
                ahead = head.into_bytes();
            }
        }
    }
    let mut server = TcpStream::connect(server)?;
    server.write_all(&ahead)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut server, &mut client);
    client.shutdown(Shutdown::Both)
}

/// Reads up to the blank line.
fn head(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// The SOCKS5 handshake (RFC 1928); gives the host and port that the client asks for.
fn socks(client: &mut TcpStream) -> io::Result<String> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting)?;
    client.read_exact(&mut vec![0; greeting[1].into()])?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 4];
    client.read_exact(&mut request)?;
    let host = if request[3] == 3 {
        let mut length = [0];
        client.read_exact(&mut length)?;
        let mut name = vec![0; length[0].into()];
        client.read_exact(&mut name)?;
        String::from_utf8_lossy(&name).into_owned()
    } else {
        let mut address = [0; 4];
        client.read_exact(&mut address)?;
        std::net::Ipv4Addr::from(address).to_string()
    };
    let mut port = [0; 2];
    client.read_exact(&mut port)?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    Ok(format!("{host}:{}", u16::from_be_bytes(port)))
}

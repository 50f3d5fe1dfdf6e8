//! The remote side: a small MCP server over Streamable HTTP, built on the official Rust SDK
//! (`rmcp`), so the demo also shows the bridge talking to somebody else's code.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Implementation, ProgressNotificationParam, ServerCapabilities, ServerConfig};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler, schemars, tool, tool_handler, tool_router};

use crate::oauth::{Door, Oauth};

/// The URL that clients of this listener use.
pub fn url(listener: &TcpListener) -> anyhow::Result<String> {
    let address = listener.local_addr().context("read the address")?;
    Ok(format!("http://{address}/mcp"))
}

/// Serves until the process ends, behind `oauth` if there is one. Each session gets a `Tools` of its own.
#[tokio::main(flavor = "current_thread")]
pub async fn run(listener: TcpListener, oauth: Option<&Arc<Oauth>>) -> anyhow::Result<()> {
    let mcp = StreamableHttpService::new(
        || Ok(Tools),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (mcp, oauth) = (mcp.clone(), oauth.cloned());
        let answer = service_fn(move |request| {
            let (mcp, oauth) = (mcp.clone(), oauth.clone());
            async move {
                let door = match oauth {
                    Some(oauth) => oauth.check(request).await,
                    None => Door::Open(request),
                };
                Ok::<_, Infallible>(match door {
                    Door::Open(request) => mcp.handle(request).await,
                    Door::Answered(answer) => answer,
                })
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

/// The tools that the server offers.
#[derive(Clone)]
struct Tools;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Echo {
    text: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Add {
    a: i64,
    b: i64,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Count {
    to: u32,
}

#[tool_router]
impl Tools {
    #[tool(description = "Says the text again")]
    async fn echo(&self, Parameters(Echo { text }): Parameters<Echo>) -> String {
        text
    }

    #[tool(description = "Adds two numbers")]
    async fn add(&self, Parameters(Add { a, b }): Parameters<Add>) -> String {
        a.saturating_add(b).to_string()
    }

    #[tool(description = "Counts slowly, and reports progress to a caller that asks for it")]
    async fn count(
        &self,
        Parameters(Count { to }): Parameters<Count>,
        call: RequestContext<RoleServer>,
    ) -> String {
        for n in 1..=to {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if let Some(token) = call.meta.get_progress_token() {
                let progress = ProgressNotificationParam::new(token, n.into())
                    .with_total(to.into())
                    .with_message(format!("counted {n}"));
                // A caller that is gone needs no progress.
                call.peer.notify_progress(progress).await.ok();
            }
        }
        format!("counted to {to}")
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("demo-server", "1.0"))
    }
}

//! The work, done by a plain `reqwest` client: what everything is compared with.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use reqwest::{Certificate, Client, ClientBuilder, Response};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::bridge::{check_length, check_received};
use crate::instructions::Load;
use crate::plan::{Form, Scheme, Work};
use crate::scene::Scene;
use crate::subject::{EVENTS, IN_FLIGHT, WARM_UP, per_second, percentiles, span};
use crate::{payload, process};

/// Does the work once, with a client of its own.
pub fn measure(work: Work, scene: &Scene, limit: Duration) -> anyhow::Result<Vec<f64>> {
    let scheme = match work {
        Work::RoundTrip(scheme) => scheme,
        _ => Scheme::Http,
    };
    if let Work::Start = work {
        return empty_program(scene);
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let direct = Direct::new(scene, scheme, limit)?;
    runtime.block_on(direct.echo(0))?;
    match work {
        Work::RoundTrip(_) => percentiles(span(scene), || runtime.block_on(direct.echo(1))),
        Work::Cpu => cpu(&runtime, &direct, span(scene)),
        Work::InFlight => runtime.block_on(in_flight(direct, span(scene))),
        Work::Stream => rates(|| runtime.block_on(stream(&direct, EVENTS))),
        Work::Answer(mib, form) => runtime.block_on(answer(&direct, mib, form)),
        Work::Request(mib) => runtime.block_on(request(&direct, mib)),
        _ => Ok(Vec::new()),
    }
}

/// Does the work for [`crate::instructions`], after a first call.
pub fn work(load: Load, url: &str) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let builder = Client::builder().no_proxy().tls_certs_only([]);
    let direct = Direct::to(url, builder)?;
    runtime.block_on(async {
        direct.echo(0).await?;
        match load {
            Load::Nothing => {}
            Load::Calls(calls) => {
                for _ in 0..calls {
                    direct.echo(1).await?;
                }
            }
            Load::Stream(events) => drop(stream(&direct, events).await?),
            Load::Answer(mib) => drop(answer(&direct, mib, Form::Json).await?),
            Load::Request(_) => anyhow::bail!("the direct client makes no large request"),
        }
        Ok(())
    })
}

/// A client and where it sends to.
#[derive(Clone)]
struct Direct {
    client: Client,
    url: String,
}

impl Direct {
    fn new(scene: &Scene, scheme: Scheme, limit: Duration) -> anyhow::Result<Self> {
        let ca = fs::read(scene.ca_file()).context("read the CA certificate")?;
        let certificates = [Certificate::from_pem(&ca)?];
        let builder = Client::builder().no_proxy().timeout(limit);
        Self::to(scene.url(scheme), builder.tls_certs_only(certificates))
    }

    fn to(url: &str, builder: ClientBuilder) -> anyhow::Result<Self> {
        // Installing it a second time is refused, and right that way.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = builder.build().context("build the client")?;
        let url = url.to_owned();
        Ok(Self { client, url })
    }

    /// Sends a message, with the headers that an MCP client sends.
    async fn post(&self, body: impl Into<Bytes>) -> anyhow::Result<Response> {
        let request = self
            .client
            .post(&self.url)
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2025-11-25")
            .header("mcp-session-id", "bench")
            .body(body.into());
        Ok(request.send().await?.error_for_status()?)
    }

    /// One small call.
    async fn echo(&self, id: u64) -> anyhow::Result<()> {
        let answer = self.post(payload::echo(id)).await?.bytes().await?;
        ensure!(!answer.is_empty(), "an empty answer");
        Ok(())
    }
}

/// From the start of a program that does nothing to its end.
fn empty_program(scene: &Scene) -> anyhow::Result<Vec<f64>> {
    let mut words = scene.empty.iter();
    let mut command = Command::new(words.next().context("an empty command")?);
    command.args(words).stdin(Stdio::null());
    let started = Instant::now();
    let status = command.status().context("run the empty program")?;
    let taken = started.elapsed().as_secs_f64();
    ensure!(status.success(), "the empty program failed");
    Ok(vec![taken])
}

/// Processor time for a small call, of this process.
fn cpu(runtime: &Runtime, direct: &Direct, span: Duration) -> anyhow::Result<Vec<f64>> {
    for _ in 0..WARM_UP {
        runtime.block_on(direct.echo(1))?;
    }
    let Some(before) = process::own_cpu_seconds() else {
        return Ok(Vec::new());
    };
    let (mut calls, started) = (0, Instant::now());
    while started.elapsed() < span * 2 {
        runtime.block_on(direct.echo(1))?;
        calls += 1;
    }
    let after = process::own_cpu_seconds().unwrap_or(before);
    Ok(vec![(after - before) / f64::from(calls)])
}

/// Keeps calls in flight for a while.
async fn in_flight(direct: Direct, span: Duration) -> anyhow::Result<Vec<f64>> {
    let started = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let direct = direct.clone();
        callers.spawn(async move {
            let mut calls = 0;
            while started.elapsed() < span {
                direct.echo(1).await?;
                calls += 1;
            }
            anyhow::Ok(calls)
        });
    }
    let mut calls = 0;
    while let Some(done) = callers.join_next().await {
        calls += done??;
    }
    Ok(vec![per_second(calls, started)])
}

/// Reads one long stream, and does nothing with it; how many bytes it had.
async fn stream(direct: &Direct, events: usize) -> anyhow::Result<usize> {
    let mut response = direct.post(payload::stream(1, events)).await?;
    let mut read = 0;
    while let Some(chunk) = response.chunk().await? {
        read += chunk.len();
    }
    Ok(read)
}

/// How fast a long stream is read.
fn rates(read: impl FnOnce() -> anyhow::Result<usize>) -> anyhow::Result<Vec<f64>> {
    let bytes = payload::stream_len(EVENTS);
    let started = Instant::now();
    let read = read()?;
    let values = vec![per_second(EVENTS, started), per_second(bytes, started)];
    check_length(read, bytes)?;
    Ok(values)
}

/// Reads one large answer into memory.
async fn answer(direct: &Direct, mib: usize, form: Form) -> anyhow::Result<Vec<f64>> {
    let call = payload::big(1, mib, form == Form::Event);
    let started = Instant::now();
    let body = direct.post(call).await?.bytes().await?;
    let value = per_second(payload::text_len(mib), started);
    check_length(body.len(), payload::text_len(mib))?;
    Ok(vec![value])
}

/// Sends one large request.
async fn request(direct: &Direct, mib: usize) -> anyhow::Result<Vec<f64>> {
    let call = payload::sink(1, mib);
    let started = Instant::now();
    let body = direct.post(call).await?.bytes().await?;
    let value = per_second(payload::text_len(mib), started);
    check_received(&body, payload::text_len(mib))?;
    Ok(vec![value])
}

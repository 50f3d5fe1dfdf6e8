//! Proxy auto-configuration: scripts that name a proxy for each URL. They are not evaluated; what can be seen of them is told,
//! so that nobody has to guess why the proxy is not used.

use std::process::Stdio;
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::process::Command;
use url::Url;

use super::check::Finding;
use crate::cli::connection::Env;
use crate::error::Exit;
use crate::net::client::Proxy;
use crate::net::guard;

/// How long a program of the system may take to say what it knows.
const LIMIT: Duration = Duration::from_secs(2);

const HINT: &str = "look in the file for PROXY host:port and give that with --proxy http://HOST:PORT, or go without a proxy with --no-proxy";

/// Whether what should be a proxy is a script.
pub fn named(wanted: &Proxy, url: &Url, env: &Env<'_>) -> Option<Finding> {
    let (place, text) = match wanted {
        Proxy::Direct => return None,
        Proxy::Environment if guard::is_loopback(url) => return None,
        Proxy::Url(given) => ("--proxy".to_owned(), given.expose().clone()),
        Proxy::Environment => variables(url)
            .into_iter()
            .filter_map(|spellings| first(spellings, env))
            .map(|(name, text)| (name.to_owned(), text))
            .find(|(_, text)| !text.is_empty())?,
    };
    let shown = script(&text)?;
    Some(
        Finding::fail(
            Exit::Unreachable,
            format!("{place} names a proxy auto-config file ({shown}), which is not evaluated"),
            HINT,
        )
        .fault("pac")
        .with("pac", shown),
    )
}

/// Whether the environment says that this server is reached without a proxy.
pub fn is_excepted(url: &Url, env: &Env<'_>) -> bool {
    let (_, rules) = first(["NO_PROXY", "no_proxy"], env).unwrap_or_default();
    let any = Matcher::builder().all("http://proxy").no(rules).build();
    let to = url.as_str().parse::<Uri>();
    to.is_ok_and(|to| any.intercept(&to).is_none())
}

/// The variables that count for a URL, each in its two spellings, as the HTTP client of the bridge reads them.
fn variables(url: &Url) -> [[&'static str; 2]; 2] {
    let of_scheme = if url.scheme() == "https" {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy"]
    };
    [of_scheme, ["ALL_PROXY", "all_proxy"]]
}

/// The first spelling that is set, to something or nothing: the other one does not count.
fn first(spellings: [&'static str; 2], env: &Env<'_>) -> Option<(&'static str, String)> {
    let mut all = spellings.into_iter();
    all.find_map(|name| Some((name, env(name)?)))
}

/// What is told of a value that names a script, or asks for one to be found.
fn script(text: &str) -> Option<String> {
    let text = text.trim();
    let lower = guard::without_query(text).to_ascii_lowercase();
    let words = ["auto", "autoproxy", "autodetect", "wpad", "pac"];
    if words.contains(&lower.as_str()) {
        return Some(lower);
    }
    let is_script = lower.ends_with(".pac")
        || lower.ends_with("/wpad.dat")
        || ["pac+", "pac:", "autoproxy:", "wpad:"]
            .iter()
            .any(|start| lower.starts_with(start));
    is_script.then(|| address(text))
}

/// The address of a script for people.
fn address(text: &str) -> String {
    let bare = text.strip_prefix("pac+").unwrap_or(text);
    match Url::parse(bare) {
        Ok(url) if url.has_host() || url.scheme() == "file" => guard::shown(&url),
        _ => "an address of another kind".to_owned(),
    }
}

/// Whether the environment or the desktop has a script where no proxy is set otherwise.
pub async fn of_system(env: &Env<'_>) -> Option<Finding> {
    let told = |place: &str, text: &str| {
        let shown = match text {
            "" => "found by the network (WPAD)".to_owned(),
            text => address(text),
        };
        Finding::warn(
            format!(
                "{place} has a proxy auto-config file ({shown}), which is not evaluated: no proxy is used"
            ),
            HINT,
        )
        .fault("pac")
        .with("pac", shown)
    };
    for name in ["auto_proxy", "AUTO_PROXY", "autoproxy"] {
        if let Some(text) = env(name).filter(|text| !text.trim().is_empty()) {
            return Some(told(name, text.trim()));
        }
    }
    let (place, text) = desktop(env).await?;
    Some(told(place, &text))
}

#[cfg(target_os = "macos")]
async fn desktop(_: &Env<'_>) -> Option<(&'static str, String)> {
    let said = ask("scutil", &["--proxy"]).await?;
    let value = |name: &str| {
        let line = said
            .lines()
            .find(|line| line.trim_start().starts_with(name))?;
        Some(line.split_once(" : ")?.1.trim().to_owned())
    };
    let on = |name: &str| value(name).is_some_and(|value| value == "1");
    let place = "this Mac's network setting";
    if on("ProxyAutoConfigEnable") {
        return Some((place, value("ProxyAutoConfigURLString").unwrap_or_default()));
    }
    on("ProxyAutoDiscoveryEnable").then(|| (place, String::new()))
}

#[cfg(windows)]
async fn desktop(_: &Env<'_>) -> Option<(&'static str, String)> {
    let key = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    let said = ask("reg", &["query", key, "/v", "AutoConfigURL"]).await?;
    let url = said
        .split_whitespace()
        .last()
        .filter(|text| text.contains("://"))?;
    Some(("Windows", url.to_owned()))
}

#[cfg(not(any(windows, target_os = "macos")))]
async fn desktop(env: &Env<'_>) -> Option<(&'static str, String)> {
    let desktop = env("XDG_CURRENT_DESKTOP").filter(|name| !name.is_empty())?;
    if desktop.contains("KDE") {
        let folder = env("XDG_CONFIG_HOME").unwrap_or(format!("{}/.config", env("HOME")?));
        let text = std::fs::read_to_string(format!("{folder}/kioslaverc")).ok()?;
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        return match value("ProxyType=").map(str::trim) {
            Some("2") => Some((
                "KDE",
                value("Proxy Config Script=")
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
            )),
            Some("3") => Some(("KDE", String::new())),
            _ => None,
        };
    }
    let get = |key: &'static str| async move {
        let said = ask("gsettings", &["get", "org.gnome.system.proxy", key]).await?;
        Some(said.trim().trim_matches('\'').to_owned())
    };
    if get("mode").await? != "auto" {
        return None;
    }
    Some(("GNOME", get("autoconfig-url").await.unwrap_or_default()))
}

/// What a program of the system says.
async fn ask(program: &str, args: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await;
    let output = output.ok()?.ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{is_excepted, named, script};
    use crate::net::client::Proxy;
    use crate::secret::Secret;
    use url::Url;

    #[test]
    fn tells_scripts_from_proxies() {
        for text in [
            "http://wpad.corp/proxy.pac",
            "http://u:p@wpad.corp/Proxy.PAC?key=s3cret",
            "http://wpad/wpad.dat",
            "pac+https://corp/x",
            "auto",
            "WPAD",
        ] {
            let shown = script(text).expect(text);
            assert!(
                !shown.contains("s3cret") && !shown.contains("u:p"),
                "{shown}"
            );
        }
        for text in [
            "http://proxy:3128",
            "proxy:3128",
            "socks5h://127.0.0.1:1080",
            "",
        ] {
            assert_eq!(script(text), None, "{text}");
        }
    }

    #[test]
    fn the_variable_that_counts_is_the_one_of_the_scheme() {
        let env = |name: &str| (name == "HTTPS_PROXY").then(|| "http://x/proxy.pac".to_owned());
        let https = Url::parse("https://mcp.example/mcp").unwrap();
        let http = Url::parse("http://mcp.example/mcp").unwrap();
        let local = Url::parse("https://localhost/mcp").unwrap();
        assert!(named(&Proxy::Environment, &https, &env).is_some());
        assert!(named(&Proxy::Environment, &http, &env).is_none());
        assert!(named(&Proxy::Environment, &local, &env).is_none());
        assert!(named(&Proxy::Direct, &https, &env).is_none());
        let given = Proxy::Url(Secret::new("http://x/a.pac".to_owned()));
        assert!(named(&given, &local, &env).is_some());
    }

    #[test]
    fn the_spelling_that_counts_is_the_one_of_the_http_client() {
        let https = Url::parse("https://mcp.example/mcp").unwrap();
        let script = "http://x/proxy.pac";
        for (upper, lower, is_script) in [
            (Some(script), Some("http://x:1"), true),
            (Some("http://x:1"), Some(script), false),
            (Some(""), Some(script), false),
            (None, Some(script), true),
        ] {
            let env = |name: &str| match name {
                "HTTPS_PROXY" => upper.map(str::to_owned),
                "https_proxy" => lower.map(str::to_owned),
                _ => None,
            };
            let found = named(&Proxy::Environment, &https, &env);
            assert_eq!(found.is_some(), is_script, "{upper:?} {lower:?}");
        }
    }

    #[test]
    fn no_proxy_excepts_hosts_their_subdomains_and_networks() {
        let excepted = |rules: &str, url: &str| {
            let env = |name: &str| (name == "no_proxy").then(|| rules.to_owned());
            is_excepted(&Url::parse(url).unwrap(), &env)
        };
        assert!(excepted("corp.example", "https://mcp.corp.example/mcp"));
        assert!(excepted("10.0.0.0/8", "https://10.1.2.3/mcp"));
        assert!(excepted("*", "https://mcp.example/mcp"));
        assert!(!excepted("other.example", "https://mcp.example/mcp"));
        assert!(!excepted("", "https://mcp.example/mcp"));
    }
}

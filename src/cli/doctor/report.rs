//! `--report`: all that somebody else needs to understand a problem, in one JSON file, without secrets. Values are shown only of
//! options and variables that are known to be harmless; then what is known to be secret is taken out of the whole text.

mod shown;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};
use url::Url;

use self::shown::{Kind, SHORTEST_SECRET, VARIABLES, option, url, without_home};
use super::patient::Patient;
use crate::cli::args::Doctor;
use crate::cli::connection::{self, Env};
use crate::cli::oauth;
use crate::cli::run;
use crate::draft;
use crate::error::{Exit, Fatal};
use crate::net::failure::cause;
use crate::store::logins;

/// Lines of the log that go into the report.
const LINES: usize = 200;

/// Writes the report, for this user alone.
///
/// # Errors
/// The file cannot be written.
pub fn write(
    path: &Path,
    args: &Doctor,
    patient: &Patient<'_>,
    found: &Value,
) -> Result<(), Fatal> {
    let secrets = secrets(args, patient);
    let report = json!({
        "program": "mcp-tether",
        "version": env!("CARGO_PKG_VERSION"),
        "system": { "os": std::env::consts::OS, "arch": std::env::consts::ARCH },
        "doctor": found,
        "options": given(args, patient.env),
        "configFile": config(args, patient),
        "environment": environment(patient.env),
        "logins": sign_ins(patient),
        "log": log(args, patient),
    });
    let text =
        serde_json::to_string_pretty(&without(report, &secrets, patient.env)).unwrap_or_default();
    keep(path, &text).map_err(|wrong| Fatal {
        exit: Exit::Failed,
        message: format!(
            "cannot write the report {}: {}",
            path.display(),
            cause(&wrong)
        ),
        hint: Some("give a file that can be written with --report".to_owned()),
    })
}

/// The file is whole or not there, and others cannot read it.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = draft::begin(folder)?;
    writeln!(file, "{text}")?;
    draft::replace(file, path)
}

/// The options as they were given.
fn given(args: &Doctor, env: &Env<'_>) -> Map<String, Value> {
    let all = args.given.iter().map(|(name, values)| {
        let values: Vec<Value> = values
            .iter()
            .map(|value| option(name, value, env).into())
            .collect();
        (name.clone(), Value::Array(values))
    });
    all.collect()
}

/// The keys of the config file, by section.
fn config(args: &Doctor, patient: &Patient<'_>) -> Value {
    let own = || Some(patient.paths?.config.clone());
    let Some(path) = args.bridge.config.clone().or_else(own) else {
        return Value::Null;
    };
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Value::Null;
    };
    let Ok(table) = text.parse::<toml::Table>() else {
        return "it cannot be read".into();
    };
    keys(&table)
}

fn keys(table: &toml::Table) -> Value {
    let all = table.iter().map(|(name, value)| {
        let below = match value {
            toml::Value::Table(below) => keys(below),
            _ => "(set)".into(),
        };
        (name.clone(), below)
    });
    Value::Object(all.collect())
}

fn environment(env: &Env<'_>) -> Map<String, Value> {
    let mut found = Map::new();
    for (name, kind) in VARIABLES {
        let Some(value) = env(name) else { continue };
        let shown = match kind {
            Kind::Plain => value,
            Kind::Url => url(&value),
            Kind::Secret => "(set)".to_owned(),
        };
        found.insert(name.to_owned(), shown.into());
    }
    for (name, value) in own_variables(env) {
        let option_name = option_of(&name);
        // What is not shown of an option is not shown here; repeated values stand on lines of their own.
        let shown: Vec<String> = value
            .lines()
            .map(|line| option(&option_name, line, env))
            .collect();
        found.insert(name, shown.join("\n").into());
    }
    found
}

/// The option that a variable sets.
fn option_of(variable: &str) -> String {
    let name = variable.trim_start_matches("MCP_TETHER_");
    name.to_ascii_lowercase().replace('_', "-")
}

/// The variables that set options.
fn own_variables(env: &Env<'_>) -> Vec<(String, String)> {
    let command = crate::cli::args::command();
    let names = command.get_arguments().filter_map(clap::Arg::get_long);
    let names = names.filter(|name| *name != "config");
    let names = names.map(|name| format!("MCP_TETHER_{}", name.replace('-', "_").to_uppercase()));
    names
        .filter_map(|name| Some((env(&name)?, name)))
        .map(|(value, name)| (name, value))
        .collect()
}

/// The list of sign-ins, which has no tokens.
fn sign_ins(patient: &Patient<'_>) -> Value {
    let Some(paths) = patient.paths else {
        return Value::Null;
    };
    let folders = oauth::folders(paths);
    let Ok(Ok(all)) = run::on_runtime(async { logins(&folders).await }) else {
        return "the list cannot be read".into();
    };
    let shown = all.iter().map(|login| {
        json!({
            "servers": login.servers,
            "issuer": url(&login.key.issuer),
            "clientId": login.key.client_id,
            "resource": url(&login.key.resource),
            "profile": login.key.profile,
            "store": login.place,
        })
    });
    Value::Array(shown.collect())
}

/// The end of the log, from which credentials are taken out once more.
fn log(args: &Doctor, patient: &Patient<'_>) -> Value {
    let own = || Some(patient.paths?.state.join("mcp-tether.log"));
    let Some(path) = args.bridge.output.log_file.clone().or_else(own) else {
        return Value::Null;
    };
    let Ok(text) = std::fs::read(&path) else {
        return Value::Null;
    };
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines
        .get(lines.len().saturating_sub(LINES)..)
        .unwrap_or_default();
    let shown = last.iter().map(|line| Value::from(shown::line(line)));
    Value::Array(shown.collect())
}

/// What is known to be secret here.
fn secrets(args: &Doctor, patient: &Patient<'_>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut of_url = |text: &str| {
        let Ok(url) = Url::parse(text.trim()) else {
            return;
        };
        all.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        all.extend(url.query().map(str::to_owned));
        all.insert(url.username().to_owned());
        all.extend(url.password().map(str::to_owned));
        all.extend(url.fragment().map(str::to_owned));
    };
    let bridge = &args.bridge;
    of_url(bridge.server.as_deref().unwrap_or_default());
    of_url(bridge.network.proxy.as_deref().unwrap_or_default());
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        of_url(&(patient.env)(name).unwrap_or_default());
    }
    let headers = connection::user_headers(&bridge.remote, patient.env);
    for value in headers.unwrap_or_default().values() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.extend(value.split_whitespace().map(str::to_owned));
        all.insert(value);
    }
    for (_, value) in &bridge.authorization.authorize_param {
        all.insert(value.clone());
    }
    // What is not shown in its own place is not shown elsewhere.
    let given = args.given.iter().flat_map(|(name, values)| {
        values
            .iter()
            .map(move |value| (name.clone(), value.clone()))
    });
    let set = own_variables(patient.env)
        .into_iter()
        .map(|(name, value)| (option_of(&name), value));
    for (name, value) in given.chain(set) {
        if option(&name, &value, patient.env) == shown::REDACTED {
            all.insert(value);
        }
    }
    if let Some(oauth) = patient.oauth() {
        let (_, secret) = oauth.options().client_id();
        all.extend(secret.map(|secret| secret.expose().clone()));
        if let Some(record) = oauth.record() {
            let tokens = record.tokens.iter();
            all.extend(tokens.clone().map(|tokens| tokens.access.expose().clone()));
            all.extend(
                tokens
                    .clone()
                    .filter_map(|tokens| Some(tokens.refresh.as_ref()?.expose().clone())),
            );
            all.extend(
                tokens.filter_map(|tokens| Some(tokens.id_token.as_ref()?.expose().clone())),
            );
        }
    }
    all.retain(|secret| secret.len() >= SHORTEST_SECRET);
    all
}

/// The same with secrets taken out of all texts, and with the home folder unnamed.
fn without(value: Value, secrets: &BTreeSet<String>, env: &Env<'_>) -> Value {
    match value {
        Value::String(text) => {
            // Longer ones first: one may be a part of another.
            let mut ordered: Vec<&String> = secrets.iter().collect();
            ordered.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
            let text = ordered.into_iter().fold(text, |text, secret| {
                text.replace(secret.as_str(), "(redacted)")
            });
            without_home(&text, env).into()
        }
        Value::Array(all) => all
            .into_iter()
            .map(|one| without(one, secrets, env))
            .collect(),
        Value::Object(all) => {
            let all = all
                .into_iter()
                .map(|(name, one)| (name, without(one, secrets, env)));
            Value::Object(all.collect())
        }
        other => other,
    }
}

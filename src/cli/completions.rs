//! `completions`, and what its scripts ask back: a shell that completes a command line starts the program again, with the
//! words in its arguments and the shell's name in the environment. So the scripts hold no list that could be outdated, and
//! the servers of the config file are completed too. A bridge pays for it with one look at the environment.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate, complete};
use clap_complete::env::Shells;

use super::args::{self, Completions};
use super::connection::Env;
use crate::config::{Paths, names};
use crate::error::{Exit, Fatal};
use crate::net::guard;
use crate::ui;

/// The variable that a shell asks with.
const VARIABLE: &str = "MCP_TETHER_COMPLETE";
const PROGRAM: &str = "mcp-tether";

/// What makes the script work at the first use, too, when zsh loads it by its file's name.
const ZSH_AUTOLOAD: &str = r#"
if [ "$funcstack[1]" = "_mcp-tether" ]; then
    _clap_dynamic_completer_mcp_tether "$@"
fi"#;

/// Prints the script for a shell.
///
/// # Errors
/// None that a user could bring about.
pub fn print(args: &Completions) -> Result<ExitCode, Fatal> {
    let name = args.shell.to_string();
    let shells = Shells::builtins();
    let mut script = Vec::new();
    let written = shells
        .completer(&name)
        .map(|shell| shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script));
    if !matches!(written, Some(Ok(()))) {
        return Err(Fatal {
            exit: Exit::Failed,
            message: format!("there are no completions for {name}"),
            hint: None,
        });
    }
    let mut script = String::from_utf8_lossy(&script).trim().to_owned();
    if name == "zsh" {
        script.push_str(ZSH_AUTOLOAD);
    }
    ui::data(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// The shell that asks for completions, if one does.
pub fn asked(env: &Env<'_>) -> Option<String> {
    env(VARIABLE).filter(|shell| !shell.is_empty())
}

/// Prints what could stand in place of the word under the cursor. There is nobody to tell about mistakes.
pub fn answer(shell: &str, argv: &[OsString], env: &Env<'_>) -> ExitCode {
    let words = argv.iter().skip_while(|word| *word != "--").skip(1);
    let words: Vec<OsString> = words.cloned().collect();
    let index = env("_CLAP_COMPLETE_INDEX").and_then(|index| index.parse().ok());
    let index = index.unwrap_or(words.len().saturating_sub(1));
    let mut command = definition(&words, index, env);
    let folder = std::env::current_dir().ok();
    let mut answer = Vec::new();
    if shell == "bash" {
        let (words, index) = unsplit(&words, index);
        let found = complete(&mut command, words, index, folder.as_deref()).unwrap_or_default();
        let found = found.iter().map(CompletionCandidate::get_value);
        let separator = env("_CLAP_IFS").unwrap_or_else(|| "\n".to_owned());
        let found: Vec<&OsStr> = found.collect();
        answer.extend(found.join(OsStr::new(&separator)).into_encoded_bytes());
    } else if let Some(completer) = Shells::builtins().completer(shell)
        && !words.is_empty()
    {
        let _ = completer.write_complete(&mut command, words, folder.as_deref(), &mut answer);
    }
    let _ = ui::bytes(&answer);
    ExitCode::SUCCESS
}

/// The definition with the servers of the config file. Options come up when a word begins with a dash, or when nothing else
/// could stand there: else they would bury the few commands and servers.
fn definition(words: &[OsString], index: usize, env: &Env<'_>) -> Command {
    let servers = servers(words, env);
    let is_empty = words.get(index).is_none_or(|word| word.is_empty());
    let mut command = args::command();
    // Only then has it --help, which is to be no exception.
    command.build();
    each(command, &|arg| {
        let arg = if arg.get_id() == "server" {
            let servers = servers.clone();
            arg.add(ArgValueCandidates::new(move || candidates(&servers)))
        } else {
            arg
        };
        let hidden = arg.is_hide_set() || is_empty;
        arg.hide(hidden)
    })
}

/// Changes the arguments of a command and of all below it.
fn each(command: Command, change: &impl Fn(Arg) -> Arg) -> Command {
    command
        .mut_args(change)
        .mut_subcommands(|below| each(below, change))
}

/// The servers of the config file that is named in the words, in the environment, or is the user's own.
fn servers(words: &[OsString], env: &Env<'_>) -> Vec<(String, Option<String>)> {
    let typed = words.windows(2).rev().find_map(|pair| match pair {
        [option, file] if option == "--config" => Some(PathBuf::from(file)),
        _ => None,
    });
    let joined = || {
        let words = words.iter().rev().filter_map(|word| word.to_str());
        words
            .filter_map(|word| word.strip_prefix("--config="))
            .next()
            .map(PathBuf::from)
    };
    let path = typed
        .or_else(joined)
        .or_else(|| env("MCP_TETHER_CONFIG").map(PathBuf::from))
        .or_else(|| Paths::find(env).map(|paths| paths.config));
    let text = path.and_then(|path| std::fs::read_to_string(path).ok());
    names(&text.unwrap_or_default())
}

/// Control characters would reach the terminal, so names with them are left out.
fn candidates(servers: &[(String, Option<String>)]) -> Vec<CompletionCandidate> {
    let plain = |text: &str| !text.contains(char::is_control);
    let usable = servers.iter().filter(|(name, _)| plain(name));
    let candidates = usable.map(|(name, url)| {
        let url = url.as_deref().filter(|url| plain(url));
        let help = url.map(|url| guard::without_query(url).to_owned().into());
        CompletionCandidate::new(name).help(help)
    });
    candidates.collect()
}

/// Bash takes `--option=value` for three words and a URL for several. Undoes that, for the words and the cursor's place.
fn unsplit(words: &[OsString], index: usize) -> (Vec<OsString>, usize) {
    let mut whole: Vec<OsString> = Vec::new();
    let mut cursor = 0;
    let mut goes_on = false;
    for (at, word) in words.iter().enumerate() {
        let is_option = whole
            .last()
            .is_some_and(|last| last.to_string_lossy().starts_with("--"));
        let is_colon = word == ":" && at < index;
        if (word == "=" && is_option && at < index) || at > index {
            // The value stands alone: it is what bash wants completed.
            continue;
        }
        match whole.last_mut() {
            Some(last) if is_colon || (goes_on && at < index) => last.push(word),
            _ => whole.push(word.clone()),
        }
        goes_on = is_colon;
        cursor = whole.len().saturating_sub(1);
    }
    (whole, cursor)
}

#[cfg(test)]
mod tests {
    use super::unsplit;

    #[test]
    fn what_bash_split_is_put_together() {
        let table = [
            (
                "mcp-tether --transport = ht",
                3,
                "mcp-tether --transport ht",
            ),
            (
                "mcp-tether https : //a/b --gr",
                4,
                "mcp-tether https://a/b --gr",
            ),
            (
                "mcp-tether --header = a --x",
                4,
                "mcp-tether --header a --x",
            ),
            ("mcp-tether lo later", 1, "mcp-tether lo"),
            ("mcp-tether = x", 2, "mcp-tether = x"),
        ];
        for (words, index, wanted) in table {
            let words: Vec<_> = words.split(' ').map(Into::into).collect();
            let (whole, cursor) = unsplit(&words, index);
            let wanted: Vec<std::ffi::OsString> = wanted.split(' ').map(Into::into).collect();
            assert_eq!((&whole, cursor), (&wanted, wanted.len() - 1), "{words:?}");
        }
    }
}

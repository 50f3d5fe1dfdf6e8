//! `MCP_TETHER_<NAME>` for each option `--name`.

use super::{Known, Setting, Takes};
use crate::error::Fatal;

/// Reads the settings of the environment: switches as 1, true, 0 or false, repeatable options one value a line.
///
/// # Errors
/// A usage error that names the variable.
pub fn from_environment(
    known: &[Known],
    env: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Setting>, Fatal> {
    let mut settings = Vec::new();
    for option in known {
        let variable = format!(
            "MCP_TETHER_{}",
            option.name.to_ascii_uppercase().replace('-', "_")
        );
        let Some(value) = env(&variable) else {
            continue;
        };
        let name = &option.name;
        settings.push(match option.takes {
            Takes::Nothing => {
                let on = switch(&value).ok_or_else(|| {
                    Fatal::usage(
                        format!("the environment variable {variable} is neither on nor off"),
                        "set it to 1, true, 0 or false",
                    )
                })?;
                Setting::switch(name, on, variable)
            }
            Takes::One => Setting::values(name, [value.as_str()], variable),
            Takes::Many => {
                let lines = value.lines().filter(|line| !line.trim().is_empty());
                Setting::values(name, lines, variable)
            }
        });
    }
    Ok(settings)
}

fn switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" => Some(true),
        "0" | "false" | "" => Some(false),
        _ => None,
    }
}

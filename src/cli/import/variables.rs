//! Variables that hosts replace in their files before they start a program.

/// `text` with `${NAME}`, `${NAME:-default}` and `${env:NAME}` replaced; what is not set stays as it stands.
pub fn expanded(text: &str, env: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            rest = rest.get(before.len()..).unwrap_or_default();
            break;
        };
        let bare = name.strip_prefix("env:").unwrap_or(name);
        let value = match bare.split_once(":-") {
            Some((bare, default)) => env(bare).or_else(|| Some(default.to_owned())),
            None => env(bare),
        };
        match value {
            Some(value) => out.push_str(&value),
            None => out.push_str(&format!("${{{name}}}")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::expanded;

    #[test]
    fn what_hosts_replace_is_replaced() {
        let env = |name: &str| (name == "A").then(|| "1".to_owned());
        let table = [
            ("x${A}y${A}", "x1y1"),
            ("${env:A}", "1"),
            ("${A:-2} ${B:-2} ${B}", "1 2 ${B}"),
            ("${input:token}", "${input:token}"),
            ("$A ${A", "$A ${A"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(expanded(text, env), expected, "{text}");
        }
    }
}

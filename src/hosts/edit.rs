//! Edits of a file's text, whatever its format: byte order mark and line ends stay, and a result in which anything but the
//! entry has changed is refused.

use diffy::Line;

use super::broken::Broken;
use super::lines::changes;
use super::tree::Value;
use super::{json, toml, yaml};

/// Members of an entry, in their order.
pub(super) type Fields = Vec<(String, Value)>;

/// What a byte order mark looks like as text.
const MARK: char = '\u{feff}';

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, with comments and trailing commas where they are.
    Json,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    /// The members that lead to the entries.
    pub(super) path: &'a [String],
    /// Whether the entries are a list, each with its `name`.
    pub(super) listed: bool,
    /// The entry's name.
    pub(super) name: &'a str,
}

/// What is to be done to an entry.
#[derive(Debug)]
pub(super) enum Change {
    /// It is new.
    Add(Fields),
    /// These members are set, and those go.
    Set(Fields, Vec<String>),
    /// It goes.
    Remove,
}

impl Format {
    /// All that the text says.
    pub(super) fn read(self, text: &str) -> Result<Value, Broken> {
        let text = text.strip_prefix(MARK).unwrap_or(text);
        match self {
            Self::Json => json::read(text),
            Self::Toml => toml::read(text),
            Self::Yaml => yaml::read(text),
        }
    }

    /// The text with one entry changed.
    pub(super) fn edit(
        self,
        text: &str,
        site: &Site<'_>,
        change: &Change,
    ) -> Result<String, Broken> {
        let bare = text.strip_prefix(MARK).unwrap_or(text);
        let before = bare.replace("\r\n", "\n");
        if let Some(lone) = before.find('\r') {
            // Formats and tools differ in whether it ends a line.
            let what = "a carriage return stands there alone";
            return Err(Broken::at(&before, lone, what));
        }
        let tree = self.read(&before)?;
        check_unique(&before, &tree, site)?;
        let mut after = self.apply(&before, site, change)?;
        if !before.is_empty() && !before.ends_with('\n') && after.ends_with('\n') {
            after.pop();
        }
        match change {
            Change::Add(_) => after = with_blank_lines(&before, &after),
            Change::Remove => after = with_comments_apart(&before, &after),
            Change::Set(..) => {}
        }
        self.check((&before, &tree), &after, site, change)?;
        let after = with_line_ends(bare, &before, after);
        Ok(if bare.len() == text.len() {
            after
        } else {
            format!("{MARK}{after}")
        })
    }

    fn apply(self, text: &str, site: &Site<'_>, change: &Change) -> Result<String, Broken> {
        match (self, change) {
            (Self::Json, Change::Add(fields)) => json::add(text, site, fields),
            (Self::Json, Change::Set(set, drop)) => json::change(text, site, set, drop),
            (Self::Json, Change::Remove) => json::remove(text, site),
            (Self::Toml, Change::Add(fields)) => toml::add(text, site, fields),
            (Self::Toml, Change::Set(set, drop)) => toml::change(text, site, set, drop),
            (Self::Toml, Change::Remove) => toml::remove(text, site),
            (Self::Yaml, Change::Add(fields)) => yaml::add(text, site, fields),
            (Self::Yaml, Change::Set(set, drop)) => yaml::change(text, site, set, drop),
            (Self::Yaml, Change::Remove) => yaml::remove(text, site),
        }
    }

    /// Refuses a result in which anything but the entry says something else, or a comment is gone.
    fn check(
        self,
        (before, tree): (&str, &Value),
        after: &str,
        site: &Site<'_>,
        change: &Change,
    ) -> Result<(), Broken> {
        let harm = || {
            let what = "the file cannot be edited without changing something else in it";
            Broken::about(before, site.name, what)
        };
        let now = self.read(after).map_err(|_| harm())?;
        let entry = now
            .at(site.path)
            .and_then(|entries| find(entries, site.name));
        let is_done = match (change, entry) {
            (Change::Add(fields), Some(Value::Map(found))) => found == fields,
            (Change::Set(set, drop), Some(found)) => {
                let is_set = |(name, value): &(String, Value)| found.get(name) == Some(value);
                set.iter().all(is_set) && drop.iter().all(|name| found.get(name).is_none())
            }
            (Change::Remove, found) => found.is_none(),
            _ => false,
        };
        let empty = tree.at(site.path).is_some_and(Value::is_null);
        let is_kept = match change {
            Change::Add(_) => empty || stands_in(before, after),
            Change::Remove => stands_in(after, before),
            Change::Set(..) => true,
        };
        let same = rest(tree.clone(), site.path, site.name) == rest(now, site.path, site.name);
        if is_done && is_kept && same {
            Ok(())
        } else {
            Err(harm())
        }
    }
}

/// The entry of that name.
pub(super) fn find<'a>(entries: &'a Value, name: &str) -> Option<&'a Value> {
    let mut named = entries.named().into_iter().filter(|(key, _)| *key == name);
    named.next().map(|(_, value)| value)
}

/// Refuses a file that says a thing twice: hosts differ in which one counts.
fn check_unique(text: &str, tree: &Value, site: &Site<'_>) -> Result<(), Broken> {
    let mut at = Some(tree);
    let steps = site.path.iter().map(String::as_str).chain([site.name]);
    for step in steps {
        let Some(value) = at else { break };
        let count = value.named().iter().filter(|(key, _)| *key == step).count();
        if count > 1 {
            let second = text.match_indices(step).nth(1).map_or(0, |(at, _)| at);
            return Err(Broken::at(
                text,
                second,
                format!("{step:?} stands there twice"),
            ));
        }
        at = value.get(step);
    }
    Ok(())
}

/// What the file says but for the entry, and for what holds nothing else.
fn rest(tree: Value, path: &[String], name: &str) -> Value {
    match (tree, path.split_first()) {
        (Value::Map(members), Some((first, path))) => {
            let members = members.into_iter().map(|(key, value)| {
                let value = if key == *first {
                    rest(value, path, name)
                } else {
                    value
                };
                (key, value)
            });
            let is_left = |(key, value): &(String, Value)| key != first || !holds_nothing(value);
            Value::Map(members.filter(is_left).collect())
        }
        (Value::Map(members), None) => {
            let others = members.into_iter().filter(|(key, _)| key != name);
            Value::Map(others.collect())
        }
        (Value::List(items), None) => {
            let is_other = |item: &Value| item.get("name").and_then(Value::text) != Some(name);
            Value::List(items.into_iter().filter(is_other).collect())
        }
        (other, _) => other,
    }
}

fn holds_nothing(value: &Value) -> bool {
    match value {
        Value::Map(members) => members.is_empty(),
        Value::List(items) => items.is_empty(),
        other => other.is_null(),
    }
}

/// Whether all that is written in `part`, but for space and punctuation, stands in `whole` in the same order.
fn stands_in(part: &str, whole: &str) -> bool {
    let counts = |c: &char| !c.is_whitespace() && !"{}[],~".contains(*c);
    let mut whole = whole.chars().filter(counts);
    part.chars()
        .filter(counts)
        .all(|c| whole.any(|other| other == c))
}

/// The text with the blank lines that the edit took away.
fn with_blank_lines(before: &str, after: &str) -> String {
    let kept = changes(before, after)
        .into_iter()
        .filter_map(|line| match line {
            Line::Context(line) | Line::Insert(line) => Some(line),
            Line::Delete(line) => line.trim().is_empty().then_some(line),
        });
    kept.collect()
}

/// The text with the comments that stood above the entry, but apart from it: a blank line was between.
fn with_comments_apart(before: &str, after: &str) -> String {
    let mut out = String::with_capacity(before.len());
    let mut above = Some(Vec::new());
    for change in changes(before, after) {
        let line = match change {
            Line::Context(line) | Line::Insert(line) => {
                above = Some(Vec::new());
                out.push_str(line);
                continue;
            }
            Line::Delete(line) => line,
        };
        let is_comment = line.trim_start().starts_with(['#', '/']);
        if let Some(lines) = &mut above
            && (is_comment || line.trim().is_empty())
        {
            lines.push(line);
            continue;
        }
        let lines = above.take().unwrap_or_default();
        let is_blank = |line: &&str| line.trim().is_empty();
        // A blank line stays below them: the one above, or the one between.
        let begins_blank = lines.first().is_some_and(is_blank);
        let apart = match lines.iter().rposition(is_blank) {
            Some(between) if begins_blank => between,
            Some(between) => between + 1,
            None => 0,
        };
        let apart = lines.get(..apart).unwrap_or_default();
        if apart.iter().any(|line| !line.trim().is_empty()) {
            out.extend(apart.iter().copied());
        }
    }
    out
}

/// The edited text with the line ends of the file, line by line where they are mixed.
fn with_line_ends(original: &str, before: &str, after: String) -> String {
    let windows = original.matches("\r\n").count();
    if windows == 0 || before == after {
        return if before == after {
            original.to_owned()
        } else {
            after
        };
    }
    let mostly = windows * 2 >= original.matches('\n').count();
    let mut old = original.split_inclusive('\n');
    let mut out = String::with_capacity(original.len());
    for change in changes(before, &after) {
        match change {
            Line::Delete(_) => drop(old.next()),
            Line::Context(line) => out.push_str(old.next().unwrap_or(line)),
            Line::Insert(line) if mostly => out.push_str(&line.replace('\n', "\r\n")),
            Line::Insert(line) => out.push_str(line),
        }
    }
    out
}

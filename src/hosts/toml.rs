//! TOML, edited in its syntax tree.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value as Toml};

use super::broken::Broken;
use super::edit::{Fields, Site};
use super::tree::Value;

/// All that the text says.
pub(super) fn read(text: &str) -> Result<Value, Broken> {
    Ok(value(parse(text)?.as_item()))
}

/// The text with a further entry.
pub(super) fn add(text: &str, site: &Site<'_>, fields: &Fields) -> Result<String, Broken> {
    let mut document = parse(text)?;
    let mut at = document.as_item_mut();
    for name in site.path {
        let map = at.as_table_like_mut().ok_or_else(|| no_table(text, name))?;
        at = map.entry(name).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
    }
    match at {
        Item::Table(map) => {
            let mut entry = Table::new();
            for (name, value) in fields {
                entry.insert(name, Item::Value(toml(value)));
            }
            // A table that is written with dotted keys stays so.
            entry.set_dotted(map.is_dotted());
            map.insert(site.name, Item::Table(entry));
        }
        Item::Value(Toml::InlineTable(map)) => {
            map.insert(site.name, toml(&Value::Map(fields.clone())));
        }
        _ => return Err(no_table(text, site.path.last().map_or("", |name| name))),
    }
    Ok(document.to_string())
}

/// The text with members of an entry set and others dropped.
pub(super) fn change(
    text: &str,
    site: &Site<'_>,
    set: &Fields,
    drop: &[String],
) -> Result<String, Broken> {
    let mut document = parse(text)?;
    let entry = container(&mut document, site)
        .and_then(|map| map.get_mut(site.name))
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| no_table(text, site.name))?;
    for name in drop {
        entry.remove(name);
    }
    for (name, value) in set {
        put(entry, name, value);
    }
    Ok(document.to_string())
}

/// The text without the entry.
pub(super) fn remove(text: &str, site: &Site<'_>) -> Result<String, Broken> {
    let mut document = parse(text)?;
    if let Some(map) = container(&mut document, site) {
        map.remove(site.name);
    }
    Ok(document.to_string())
}

/// Sets one member, and leaves what stands around the value where it stands.
fn put(entry: &mut dyn TableLike, name: &str, value: &Value) {
    if let (Some(table), Value::Map(members)) =
        (entry.get_mut(name).and_then(Item::as_table_like_mut), value)
    {
        let gone = |key: &String| members.iter().all(|(name, _)| name != key);
        let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys.into_iter().filter(gone) {
            table.remove(&key);
        }
        for (key, value) in members {
            put(table, key, value);
        }
        return;
    }
    let mut new = toml(value);
    match entry.get_mut(name) {
        Some(Item::Value(old)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        _ => {
            entry.insert(name, Item::Value(new));
        }
    }
}

fn parse(text: &str) -> Result<DocumentMut, Broken> {
    text.parse().map_err(|wrong: toml_edit::TomlError| {
        let offset = wrong.span().map_or(0, |span| span.start);
        Broken::at(text, offset, wrong.message())
    })
}

fn container<'a>(
    document: &'a mut DocumentMut,
    site: &Site<'_>,
) -> Option<&'a mut (dyn TableLike + 'a)> {
    let mut at = document.as_item_mut();
    for name in site.path {
        at = at.as_table_like_mut()?.get_mut(name)?;
    }
    at.as_table_like_mut()
}

fn no_table(text: &str, name: &str) -> Broken {
    Broken::about(text, name, format!("{name} is no table"))
}

fn value(item: &Item) -> Value {
    match item {
        Item::None => Value::Map(Vec::new()),
        Item::Table(table) => map(table),
        Item::ArrayOfTables(tables) => Value::List(tables.iter().map(|table| map(table)).collect()),
        Item::Value(Toml::InlineTable(table)) => map(table),
        Item::Value(Toml::Array(items)) => {
            let items = items.iter().cloned();
            Value::List(items.map(|item| value(&Item::Value(item))).collect())
        }
        Item::Value(Toml::String(text)) => Value::Text(text.value().clone()),
        Item::Value(other) => Value::Plain(other.to_string().trim().to_owned()),
    }
}

fn map(table: &dyn TableLike) -> Value {
    let members = table.iter();
    Value::Map(
        members
            .map(|(name, item)| (name.to_owned(), value(item)))
            .collect(),
    )
}

fn toml(value: &Value) -> Toml {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Plain(text) => text.parse().unwrap_or_else(|_| text.as_str().into()),
        Value::List(items) => Toml::Array(items.iter().map(toml).collect::<Array>()),
        Value::Map(members) => {
            let mut table = InlineTable::new();
            for (name, value) in members {
                table.insert(name, toml(value));
            }
            Toml::InlineTable(table)
        }
    }
}

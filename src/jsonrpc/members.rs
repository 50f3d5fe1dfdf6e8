//! A JSON object by its members, for edits that a splice of one span cannot make. Values are never parsed.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON object as its members in their order (RFC 8259 §4), names and values each in their own text. Names given twice stay so.
#[derive(Debug, Clone, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Members<'a> {
    /// Reads the raw JSON of an object; `None` when it is anything else.
    pub fn read(object: &'a str) -> Option<Self> {
        serde_json::from_str(object).ok()
    }

    /// The raw value of a member; the last one if it is given twice.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(known, _)| plain(known) == name);
        found.map(|(_, raw)| raw.as_ref())
    }

    /// Gives a member another raw value where it stands, once, or puts it last.
    pub fn set(&mut self, name: &str, raw: impl Into<Cow<'a, str>>) {
        let mut fresh = Some(raw.into());
        self.0.retain_mut(|(known, raw)| {
            if plain(known) != name {
                return true;
            }
            let first = fresh.take();
            let stays = first.is_some();
            if let Some(fresh) = first {
                *raw = fresh;
            }
            stays
        });
        self.0.extend(fresh.map(|raw| (quoted(name), raw)));
    }

    /// Takes all members of that name out and gives the last one's raw value.
    pub fn remove(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let mut last = None;
        self.0.retain_mut(|(known, raw)| {
            let stays = plain(known) != name;
            if !stays {
                last = Some(std::mem::take(raw));
            }
            stays
        });
        last
    }

    /// Keeps the members for whose name and raw value `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.0.retain(|(name, raw)| keep(&plain(name), raw));
    }

    /// The names and raw values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        self.0.iter().map(|(name, raw)| (plain(name), raw.as_ref()))
    }

    /// Whether there is no member.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A name without its quotes and escapes. One that is no text, as half of a surrogate pair is none, only loses its quotes.
fn plain(name: &str) -> Cow<'_, str> {
    let bare = name.get(1..name.len().saturating_sub(1));
    let bare = bare.unwrap_or_default();
    if !bare.contains('\\') {
        return Cow::Borrowed(bare);
    }
    serde_json::from_str(name).map_or(Cow::Borrowed(bare), Cow::Owned)
}

fn quoted<'a>(name: &str) -> Cow<'a, str> {
    Cow::Owned(Value::from(name).to_string())
}

/// Names and raw values as they come; names given twice stay so.
impl<'a> FromIterator<(&'a str, Cow<'a, str>)> for Members<'a> {
    fn from_iter<T: IntoIterator<Item = (&'a str, Cow<'a, str>)>>(members: T) -> Self {
        let members = members.into_iter();
        Self(members.map(|(name, raw)| (quoted(name), raw)).collect())
    }
}

/// The object as JSON without blanks between its members.
impl fmt::Display for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "{";
        for (name, raw) in &self.0 {
            write!(f, "{before}{name}:{raw}")?;
            before = ",";
        }
        f.write_str(if self.is_empty() { "{}" } else { "}" })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Object)
    }
}

/// A name, borrowed where it has no escapes: a bare `Cow` would always be copied.
#[derive(Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub Cow<'a, str>);

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, raw)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
            members.push((Cow::Borrowed(name.get()), Cow::Borrowed(raw.get())));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Members;

    #[test]
    fn only_an_object_has_members() {
        for text in ["[]", "7", "\"x\"", "null", "", "{", "{} {}", r#"{"a":}"#] {
            assert!(Members::read(text).is_none(), "{text}");
        }
        assert!(Members::read(" {} ").unwrap().is_empty());
    }

    #[test]
    fn values_keep_their_text_and_members_their_order() {
        let text = r#"{ "z" : 1.0 , "a\"\n":{ "k" : [ 1e2 ] },"big":123456789012345678901234567890,"u":"\u0041"}"#;
        let members = Members::read(text).unwrap();
        assert_eq!(
            members.to_string(),
            r#"{"z":1.0,"a\"\n":{ "k" : [ 1e2 ] },"big":123456789012345678901234567890,"u":"\u0041"}"#
        );
        assert_eq!(members.get("a\"\n"), Some("{ \"k\" : [ 1e2 ] }"));
        assert_eq!(members.get("gone"), None);
    }

    #[test]
    fn names_keep_their_text_also_where_it_is_no_unicode() {
        let text = r#"{"\u0061":1,"half \ud800":2,"\/":3}"#;
        let mut members = Members::read(text).unwrap();
        assert_eq!(members.to_string(), text);
        let names: Vec<_> = members.iter().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(names, ["a", r"half \ud800", "/"]);
        members.set("a", "4");
        members.set("\"", "5");
        assert_eq!(
            members.to_string(),
            r#"{"\u0061":4,"half \ud800":2,"\/":3,"\"":5}"#
        );
    }

    #[test]
    fn a_name_given_twice_stays_until_it_is_set_or_removed() {
        let text = r#"{"a":1,"b":2,"\u0061":3}"#;
        let mut members = Members::read(text).unwrap();
        assert_eq!(members.to_string(), text);
        assert_eq!(members.get("a"), Some("3"));
        members.set("a", "4");
        members.set("c", "5".to_owned());
        assert_eq!(members.to_string(), r#"{"a":4,"b":2,"c":5}"#);

        let mut members = Members::read(text).unwrap();
        assert_eq!(members.remove("a").as_deref(), Some("3"));
        assert_eq!(members.remove("a"), None);
        assert_eq!(members.to_string(), r#"{"b":2}"#);
        members.retain(|name, raw| (name, raw) != ("b", "2"));
        assert_eq!(members.to_string(), "{}");
    }

    proptest! {
        #[test]
        fn reading_and_writing_keeps_every_value(
            members in prop::collection::vec((any::<String>(), any::<String>(), any::<i128>()), 0..8),
        ) {
            let members: Vec<(String, String)> = members
                .into_iter()
                .map(|(name, text, number)| {
                    let text = serde_json::Value::from(text);
                    (name, format!("{{ \"t\" : {text}, \"n\" :[{number}, {number}.50E+1 ] }}"))
                })
                .collect();
            let spelled: Vec<String> = members
                .iter()
                .map(|(name, raw)| format!("{} : {raw}", serde_json::Value::from(name.as_str())))
                .collect();
            let text = format!("{{ {} }}", spelled.join(" , "));
            let once = Members::read(&text).unwrap().to_string();
            let again = Members::read(&once).unwrap();
            let found: Vec<(String, &str)> =
                again.iter().map(|(name, raw)| (name.into_owned(), raw)).collect();
            let wanted: Vec<(String, &str)> =
                members.iter().map(|(name, raw)| (name.clone(), raw.as_str())).collect();
            prop_assert_eq!(found, wanted);
            prop_assert_eq!(again.to_string(), once);
        }
    }
}

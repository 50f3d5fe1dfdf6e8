//! What a file says, whatever its format: enough to find entries and to see that an edit changed nothing else.

/// A value of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// A number, a truth value, a date or nothing, as it is written.
    Plain(String),
    /// An array.
    List(Vec<Self>),
    /// An object, in its order.
    Map(Vec<(String, Self)>),
}

impl Value {
    /// The member of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(members) = self else {
            return None;
        };
        let mut named = members.iter().filter(|(key, _)| key == name);
        named.next().map(|(_, value)| value)
    }

    /// What stands at the end of that path.
    pub(super) fn at(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// A string, or what looks like one to a host that is not strict.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Plain(text) => Some(text),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Whether it says that there is nothing.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Plain(text) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// An array of strings.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        let Self::List(items) = self else {
            return None;
        };
        let texts = items.iter().map(|item| item.text().map(str::to_owned));
        texts.collect()
    }

    /// An array of these strings.
    pub(super) fn list(items: &[String]) -> Self {
        Self::List(items.iter().cloned().map(Self::Text).collect())
    }

    /// An object of these strings.
    pub(super) fn map(pairs: &[(String, String)]) -> Self {
        let member = |(name, value): &(String, String)| (name.clone(), Self::Text(value.clone()));
        Self::Map(pairs.iter().map(member).collect())
    }

    /// The members, each beside its name; of a list of named entries, its entries.
    pub(super) fn named(&self) -> Vec<(&str, &Self)> {
        match self {
            Self::Map(members) => {
                let members = members.iter();
                members
                    .map(|(name, value)| (name.as_str(), value))
                    .collect()
            }
            Self::List(items) => {
                let name = |item| Some((Self::get(item, "name")?.text()?, item));
                items.iter().filter_map(name).collect()
            }
            Self::Text(_) | Self::Plain(_) => Vec::new(),
        }
    }
}

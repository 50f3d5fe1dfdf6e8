//! As much of JSON Schema as the arguments of a tool need to be read from a command line: types, choices, properties. What is not
//! understood is left to the server.

use serde_json::Value;

/// Steps through references, choices and parts at most: a schema may refer to itself.
const DEPTH: usize = 16;

/// A schema, and the document that its references point into.
#[derive(Debug, Clone, Copy)]
pub struct Schema<'a> {
    root: &'a Value,
    node: &'a Value,
}

/// What a schema says of a property.
#[derive(Debug, Clone, Copy)]
pub enum Property<'a> {
    /// It is one of those that the schema names.
    Known(Schema<'a>),
    /// The schema says that there may be others.
    Welcome(Schema<'a>),
    /// The schema says nothing of it.
    Unheard,
    /// There must be no others.
    Forbidden,
}

impl<'a> Schema<'a> {
    /// The schema of all arguments of a tool; `None` when it has none that can be used.
    pub fn of_tool(tool: &'a Value) -> Option<Self> {
        let root = tool.get("inputSchema").filter(|root| root.is_object())?;
        Some(Self { root, node: root })
    }

    /// A schema by itself.
    pub const fn new(root: &'a Value) -> Self {
        Self { root, node: root }
    }

    const fn with(self, node: &'a Value) -> Self {
        Self { node, ..self }
    }

    /// A member of the schema itself.
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.node.get(name)
    }

    /// The schema that a chain of references ends at.
    fn resolved(mut self) -> Self {
        for _ in 0..DEPTH {
            let Some(Value::String(to)) = self.node.get("$ref") else {
                break;
            };
            let found = to.strip_prefix('#').and_then(|at| self.root.pointer(at));
            let Some(node) = found else { break };
            self = self.with(node);
        }
        self
    }

    fn each(self, name: &str) -> impl Iterator<Item = Self> + use<'a> {
        let all = self.node.get(name).and_then(Value::as_array);
        all.into_iter()
            .flatten()
            .map(move |node| self.with(node).resolved())
    }

    /// Itself and the schemas that hold beside it.
    fn parts(self, depth: usize) -> Vec<Self> {
        let own = self.resolved();
        let mut parts = vec![own];
        if depth > 0 {
            for part in own.each("allOf") {
                parts.extend(part.parts(depth - 1));
            }
        }
        parts
    }

    /// The schemas of which one has to hold; itself where there is no choice.
    pub fn choices(self) -> Vec<Self> {
        let mut found = Vec::new();
        self.choose(DEPTH, &mut found);
        found
    }

    fn choose(self, depth: usize, found: &mut Vec<Self>) {
        for part in self.parts(depth) {
            let mut choices = part.each("anyOf").chain(part.each("oneOf")).peekable();
            if choices.peek().is_none() || depth == 0 {
                // A part that says nothing of the value leaves it to the others.
                if part.is_telling() {
                    found.push(part);
                }
                continue;
            }
            // A choice that says nothing of the value leaves it to what stands beside.
            let mut is_open = false;
            for choice in choices {
                let before = found.len();
                choice.choose(depth / 2, found);
                is_open |= found.len() == before;
            }
            if is_open && part.is_telling() {
                found.push(part);
            }
        }
    }

    fn is_telling(self) -> bool {
        !self.types().is_empty() || self.values().is_some()
    }

    /// The types that it names or means; none stands for any.
    pub fn types(self) -> Vec<&'a str> {
        match self.node.get("type") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ if self.node.get("properties").is_some() => vec!["object"],
            _ if self.node.get("items").is_some() => vec!["array"],
            _ => Vec::new(),
        }
    }

    /// The values to choose from.
    pub fn values(self) -> Option<Vec<&'a Value>> {
        if let Some(one) = self.node.get("const") {
            return Some(vec![one]);
        }
        let all = self.node.get("enum")?.as_array()?;
        Some(all.iter().collect())
    }

    /// What the items of an array are.
    pub fn items(self) -> Self {
        static ANY: Value = Value::Null;
        let items = self.node.get("items");
        self.with(items.filter(|items| items.is_object()).unwrap_or(&ANY))
            .resolved()
    }

    /// The schemas that speak of the members of an object.
    fn objects(self) -> Vec<Self> {
        let mut all = self.parts(DEPTH);
        for choice in self.choices() {
            if !all.iter().any(|one| std::ptr::eq(one.node, choice.node)) {
                all.push(choice);
            }
        }
        all.retain(|one| {
            one.types().contains(&"object") || one.get("additionalProperties").is_some()
        });
        all
    }

    /// What it says of a property.
    pub fn property(self, name: &str) -> Property<'a> {
        let objects = self.objects();
        for object in &objects {
            let known = object.get("properties").and_then(|all| all.get(name));
            if let Some(node) = known {
                return Property::Known(self.with(node).resolved());
            }
        }
        if objects
            .iter()
            .any(|object| object.get("patternProperties").is_some())
        {
            return Property::Welcome(self.with(&Value::Null));
        }
        let mut others = objects.iter().filter_map(|object| {
            object
                .get("additionalProperties")
                .or_else(|| object.get("unevaluatedProperties"))
        });
        if let Some(other) = others.next() {
            return match other {
                Value::Bool(false) => Property::Forbidden,
                Value::Object(_) => Property::Welcome(self.with(other).resolved()),
                _ => Property::Welcome(self.with(&Value::Null)),
            };
        }
        // What names nothing takes everything.
        if objects
            .iter()
            .all(|object| object.get("properties").is_none())
        {
            return Property::Welcome(self.with(&Value::Null));
        }
        Property::Unheard
    }

    /// The names of the properties.
    pub fn names(self) -> Vec<&'a str> {
        let objects = self.objects();
        let all = objects
            .iter()
            .filter_map(|object| object.get("properties")?.as_object());
        all.flat_map(|all| all.keys().map(String::as_str)).collect()
    }

    /// The names of those that must be there.
    pub fn required(self) -> Vec<&'a str> {
        let parts = self.parts(DEPTH);
        let all = parts
            .iter()
            .filter_map(|part| part.get("required")?.as_array());
        all.flatten().filter_map(Value::as_str).collect()
    }

    /// What it wants, in words.
    pub fn wanted(self) -> String {
        let mut words: Vec<String> = Vec::new();
        for choice in self.choices() {
            if let Some(values) = choice.values() {
                let values = values.iter().map(|value| plain(value));
                words.push(format!("one of {}", values.collect::<Vec<_>>().join(", ")));
                continue;
            }
            for kind in choice.types() {
                let word = match kind {
                    "array" => "a list".to_owned(),
                    "integer" | "object" => format!("an {kind}"),
                    "null" => kind.to_owned(),
                    "boolean" => "true or false".to_owned(),
                    _ => format!("a {kind}"),
                };
                if !words.contains(&word) {
                    words.push(word);
                }
            }
        }
        words.join(" or ")
    }
}

/// A value as somebody types it.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

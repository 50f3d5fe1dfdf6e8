use serde_json::{Value, json};

use super::super::schema::Schema;
use super::{arguments, read};

fn tool() -> Value {
    json!({ "inputSchema": {
        "type": "object",
        "properties": {
            "text": { "type": "string" },
            "count": { "type": "integer" },
            "ratio": { "type": "number" },
            "on": { "type": "boolean" },
            "none": { "type": "null" },
            "tags": { "type": "array", "items": { "type": "string" } },
            "ids": { "type": "array", "items": { "type": "integer" } },
            "color": { "enum": ["red", "green", 3] },
            "maybe": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
            "either": { "type": ["string", "number"] },
            "where": { "$ref": "#/$defs/place" },
            "a.b": { "type": "integer" },
            "any": {},
            "map": { "type": "object", "additionalProperties": { "type": "integer" } },
        },
        "$defs": { "place": {
            "type": "object",
            "properties": { "city": { "type": "string" }, "zip": { "type": "integer" }, "next": { "$ref": "#/$defs/place" } },
            "required": ["city"],
            "additionalProperties": false,
        } },
    } })
}

fn with(tool: &Value, words: &[&str], stdin: &str) -> Result<String, String> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let typed = read(&words, &mut stdin.as_bytes()).map_err(|wrong| wrong.message)?;
    arguments(typed, Schema::of_tool(tool))
}

fn made(words: &[&str]) -> Result<String, String> {
    with(&tool(), words, "")
}

#[test]
fn values_become_what_the_schema_says() {
    let table: [(&[&str], &str); 27] = [
        (&[], "{}"),
        (&["text=5"], r#"{"text":"5"}"#),
        (&["text=a=b:=c"], r#"{"text":"a=b:=c"}"#),
        (&["text="], r#"{"text":""}"#),
        (&["text=tr\"ue\n"], r#"{"text":"tr\"ue\n"}"#),
        (&["count=5"], r#"{"count":5}"#),
        (
            &["count=-12345678901234567890123456789"],
            r#"{"count":-12345678901234567890123456789}"#,
        ),
        (&["count=1.0"], r#"{"count":1.0}"#),
        (&["ratio=1.50"], r#"{"ratio":1.50}"#),
        (&["on=true", "none=null"], r#"{"on":true,"none":null}"#),
        (&["tags=a"], r#"{"tags":["a"]}"#),
        (&["tags=a", "tags=1"], r#"{"tags":["a","1"]}"#),
        (
            &[r#"tags=["a","b"]"#, "tags=c"],
            r#"{"tags":["a","b","c"]}"#,
        ),
        (&["ids=1", "ids=2.0"], r#"{"ids":[1,2.0]}"#),
        (&["color=red"], r#"{"color":"red"}"#),
        (&["color=3"], r#"{"color":3}"#),
        (&["maybe=null"], r#"{"maybe":null}"#),
        (&["maybe=7"], r#"{"maybe":7}"#),
        (&["either=7"], r#"{"either":7}"#),
        (&["either=x"], r#"{"either":"x"}"#),
        (
            &["where.city=Rome", "where.zip=7"],
            r#"{"where":{"city":"Rome","zip":7}}"#,
        ),
        (
            &["where.city=R", "where.next.city=S"],
            r#"{"where":{"city":"R","next":{"city":"S"}}}"#,
        ),
        (&[r#"where={"city":"X"}"#], r#"{"where":{"city":"X"}}"#),
        (&["a.b=1"], r#"{"a.b":1}"#),
        (&["any=007", "map.x=1"], r#"{"any":"007","map":{"x":1}}"#),
        (&["any:=[1, 2.0]"], r#"{"any":[1, 2.0]}"#),
        (
            &[r#" {"count": 1.0, "free":1} "#],
            r#"{"count": 1.0, "free":1}"#,
        ),
    ];
    for (words, wanted) in table {
        assert_eq!(made(words).as_deref(), Ok(wanted), "{words:?}");
    }
    assert_eq!(
        with(&tool(), &["text=-"], "all\nof it\n").as_deref(),
        Ok(r#"{"text":"all\nof it\n"}"#)
    );
    assert_eq!(
        with(&tool(), &["-"], "{\"count\":1}\n").as_deref(),
        Ok(r#"{"count":1}"#)
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let table: [(&[&str], &str); 19] = [
        (&["count=x"], r#"count must be an integer, not "x""#),
        (&["count=1.5"], r#"count must be an integer, not "1.5""#),
        (&["on=yes"], r#"on must be true or false, not "yes""#),
        (
            &["color=gren"],
            r#"color must be one of red, green, 3, not "gren"; did you mean green?"#,
        ),
        (&["maybe=x"], r#"maybe must be an integer or null, not "x""#),
        (&["ids=1", "ids=x"], r#"ids must be an integer, not "x""#),
        (
            &["cuont=1"],
            "there is no argument cuont; did you mean count?",
        ),
        (
            &["where.city=a", "where.zap=1"],
            "there is no argument where.zap; did you mean zip?",
        ),
        (&["where.zip=1"], "where.city is missing"),
        (
            &[r#"where={"city":"X","q":1}"#],
            "there is no argument where.q",
        ),
        (&["where=x"], r#"where must be an object, not "x""#),
        (&["map.x=y"], r#"map.x must be an integer, not "y""#),
        (&["text=a", "text=b"], "text is given twice, and is no list"),
        (
            &[r#"{"count":"1"}"#],
            r#"count must be an integer, not "1""#,
        ),
        (
            &[r#"{"ids":[1,"x"]}"#],
            r#"ids[1] must be an integer, not "x""#,
        ),
        (&["count:=x"], "the value of count is not valid JSON"),
        (&["[1]"], r#""[1]" is neither key=value nor a JSON object"#),
        (&["=1"], r#""=1" has no key before the ="#),
        (
            &["text=-", "any=-"],
            "stdin can be read for one argument only",
        ),
    ];
    for (words, wanted) in table {
        assert_eq!(made(words).unwrap_err(), wanted, "{words:?}");
    }
    assert!(
        made(&["{"])
            .unwrap_err()
            .starts_with("the arguments are not valid JSON")
    );
    assert!(
        made(&["text=@/no/such/file"])
            .unwrap_err()
            .starts_with("cannot read")
    );
}

#[test]
fn a_schema_that_says_nothing_or_goes_round_leaves_it_to_the_server() {
    for schema in [
        json!({}),
        json!({ "type": "object" }),
        json!([]),
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#" }], "anyOf": [{ "$ref": "#" }] }),
        json!({ "$ref": "https://example.com/schema" }),
    ] {
        let tool = json!({ "inputSchema": schema });
        let found = with(&tool, &["x=1", "y.z=b", "y.q=true", "x=2"], "");
        assert_eq!(
            found.as_deref(),
            Ok(r#"{"x":[1,2],"y":{"z":"b","q":true}}"#),
            "{tool}"
        );
    }
}

#[test]
fn required_arguments_and_parts_of_a_schema_count() {
    let tool = json!({ "inputSchema": {
        "allOf": [
            { "type": "object", "properties": { "a": { "type": "number" } }, "required": ["a"] },
            { "properties": { "b": { "oneOf": [{ "const": "x" }, { "type": "boolean" }] } } },
        ],
    } });
    assert_eq!(with(&tool, &["b=x"], "").unwrap_err(), "a is missing");
    assert_eq!(
        with(&tool, &["b=x", "a=1"], "").as_deref(),
        Ok(r#"{"b":"x","a":1}"#)
    );
    assert_eq!(
        with(&tool, &["b=true", "a=1"], "").as_deref(),
        Ok(r#"{"b":true,"a":1}"#)
    );
    let wrong = with(&tool, &["b=y", "a=1"], "").unwrap_err();
    assert_eq!(wrong, r#"b must be one of x or true or false, not "y""#);
}

use super::super::parts::parse;
use super::{Filter, acknowledged, closed, listen_params, subscription, tagged, untagged};
use crate::jsonrpc::{Id, Message};

fn listen(params: &str) -> Message {
    parse(&format!(
        r#"{{"id":1,"method":"subscriptions/listen","params":{params}}}"#
    ))
}

fn all() -> Filter {
    Filter {
        tools: true,
        prompts: true,
        resources: true,
        uris: ["a:/b", "a:/dir/"].map(str::to_owned).into(),
    }
}

const ALL: &str = r#"{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["a:/b","a:/dir/"]}"#;

#[test]
fn each_kind_of_notification_is_opted_into() {
    let none = Filter::default();
    let tools = Filter {
        tools: true,
        ..Filter::default()
    };
    let table = [
        (format!(r#"{{"notifications":{ALL}}}"#), Some(all())),
        (r#"{"notifications":{}}"#.to_owned(), Some(none.clone())),
        (
            r#"{"notifications":{"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":7,"taskIds":["t"]}}"#.to_owned(),
            Some(tools),
        ),
        (r#"{"notifications":[]}"#.to_owned(), None),
        ("{}".to_owned(), None),
        ("[]".to_owned(), None),
    ];
    for (params, wanted) in table {
        assert_eq!(Filter::of_listen(&listen(&params)), wanted, "{params}");
    }
    assert!(none.is_empty() && !all().is_empty());
    assert_eq!(none.raw(), "{}");
    assert_eq!(all().raw(), ALL);
    assert_eq!(
        Filter::of_listen(&listen(&listen_params(&all()))),
        Some(all())
    );
}

#[test]
fn only_what_the_server_offers_is_honoured() {
    let everything = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true}}"#;
    assert_eq!(all().honoured(everything), all());
    assert!(Filter::default().honoured(everything).is_empty());
    for (capabilities, wanted) in [
        (
            r#"{"tools":{"listChanged":true}}"#,
            r#"{"toolsListChanged":true}"#,
        ),
        (
            r#"{"prompts":{"listChanged":true},"tools":{"listChanged":false}}"#,
            r#"{"promptsListChanged":true}"#,
        ),
        (
            r#"{"resources":{"listChanged":true}}"#,
            r#"{"resourcesListChanged":true}"#,
        ),
        (
            r#"{"resources":{"subscribe":true}}"#,
            r#"{"resourceSubscriptions":["a:/b","a:/dir/"]}"#,
        ),
        (r#"{"tools":{}}"#, "{}"),
        ("7", "{}"),
    ] {
        assert_eq!(all().honoured(capabilities).raw(), wanted, "{capabilities}");
    }
}

#[test]
fn a_notification_is_wanted_by_its_kind_and_resource() {
    let list = |kind: &str| {
        parse(&format!(
            r#"{{"method":"notifications/{kind}/list_changed"}}"#
        ))
    };
    for kind in ["tools", "prompts", "resources"] {
        assert!(all().wants(&list(kind)), "{kind}");
        assert!(!Filter::default().wants(&list(kind)), "{kind}");
    }
    assert!(!all().wants(&list("roots")));
    for (uri, wanted) in [
        (r#""a:/b""#, true),
        (r#""a:\/b""#, true),
        (r#""a:/b/c""#, true),
        (r#""a:/b#c""#, true),
        (r#""a:/b?c""#, true),
        (r#""a:/bc""#, false),
        (r#""a:/""#, false),
        (r#""a:/dir/x""#, true),
        (r#""a:/dir""#, false),
        ("7", false),
    ] {
        let updated =
            format!(r#"{{"method":"notifications/resources/updated","params":{{"uri":{uri}}}}}"#);
        assert_eq!(all().wants(&parse(&updated)), wanted, "{uri}");
    }
}

#[test]
fn what_a_subscription_hears_names_it_with_the_id_of_its_request() {
    for raw in ["7", "\"7\""] {
        let id = Id::parse(raw).unwrap();
        let key = format!(r#""io.modelcontextprotocol/subscriptionId":{raw}"#);
        let table = [
            (
                r#"{"method":"m","params":{"uri":"u","_meta":{"a":1.0}}}"#,
                format!(r#"{{"method":"m","params":{{"uri":"u","_meta":{{"a":1.0,{key}}}}}}}"#),
                r#"{"method":"m","params":{"uri":"u","_meta":{"a":1.0}}}"#,
            ),
            (
                r#"{"method":"m","params":{"uri":"u"}}"#,
                format!(r#"{{"method":"m","params":{{"uri":"u","_meta":{{{key}}}}}}}"#),
                r#"{"method":"m","params":{"uri":"u"}}"#,
            ),
            (
                r#"{"method":"m"}"#,
                format!(r#"{{"params":{{"_meta":{{{key}}}}},"method":"m"}}"#),
                r#"{"params":{},"method":"m"}"#,
            ),
        ];
        for (before, wanted, back) in table {
            let found = tagged(&parse(before), &id);
            assert_eq!(found.line(), &wanted);
            assert_eq!(subscription(&found).unwrap().raw(), raw);
            assert_eq!(untagged(&found).line(), back);
        }
        let first = acknowledged(&id, &all());
        assert_eq!(subscription(&first), Some(id.clone()));
        assert_eq!(Filter::of_acknowledged(&first), Some(all()));
        assert_eq!(
            closed(&id),
            format!(r#"{{"resultType":"complete","_meta":{{{key}}}}}"#)
        );
    }
    let plain = parse(r#"{"method":"m","params":{ "_meta":{} }}"#);
    assert_eq!(untagged(&plain).line(), plain.line());
    assert_eq!(subscription(&plain), None);
}

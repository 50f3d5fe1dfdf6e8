use super::{ALL, Choice, PLAIN, Provider, assumed, preset, same_house};

#[test]
fn the_issuer_tells_who_it_is() {
    let table = [
        ("https://login.microsoftonline.com/common/v2.0", "entra"),
        ("https://contoso.ciamlogin.com/contoso", "entra"),
        ("https://accounts.google.com", "google"),
        (
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x",
            "cognito",
        ),
        ("https://github.com/login/oauth", "github"),
        ("https://slack.com", "slack"),
        ("https://mcp.slack.com", "slack"),
        ("https://api.figma.com", "figma"),
        ("https://cf.mcp.atlassian.com", "atlassian"),
        ("https://x-y.snowflakecomputing.com", "snowflake"),
        ("https://as.example", ""),
        ("https://notslack.com", ""),
        ("https://slack.com.evil.example", ""),
        ("https://evil.example/slack.com", ""),
        ("https://s3.eu-west-1.amazonaws.com", ""),
        ("http://slack.com", ""),
        ("slack.com", ""),
    ];
    for (issuer, name) in table {
        assert_eq!(preset(Choice::Guessed, issuer).name, name, "{issuer}");
        assert_eq!(preset(Choice::None, issuer), &PLAIN);
        let given = preset(Choice::Given(Provider::Figma), issuer);
        assert_eq!(given.name, "figma");
    }
}

#[test]
fn only_a_server_of_the_same_house_may_call_itself_otherwise() {
    let guessed = |issuer, found| same_house(Choice::Guessed, issuer, found);
    assert!(guessed(
        "https://mcp.atlassian.com",
        "https://cf.mcp.atlassian.com"
    ));
    let entra = "https://login.microsoftonline.com/common/v2.0";
    assert!(guessed(
        entra,
        "https://login.microsoftonline.com/{tenantid}/v2.0"
    ));
    assert!(!guessed(
        "https://mcp.atlassian.com",
        "https://evil.example"
    ));
    assert!(!guessed("https://mcp.slack.com", "https://slack.com"));
    assert!(!guessed("https://as.example", "https://mcp.atlassian.com"));
    assert!(!guessed("no", "no"));
}

#[test]
fn scopes_are_mended() {
    let scope = |provider, chosen: Option<&str>| {
        let preset = preset(Choice::Given(provider), "");
        preset.scope(chosen, "https://h")
    };
    let table = [
        (
            Provider::Entra,
            None,
            Some("https://h/.default offline_access"),
        ),
        (
            Provider::Entra,
            Some("api://x/a"),
            Some("api://x/a offline_access"),
        ),
        (Provider::Google, None, Some("openid email")),
        (Provider::Google, Some("a offline_access"), Some("a")),
        (Provider::Cognito, None, None),
        (Provider::Cognito, Some("a b"), Some("a b")),
        (Provider::Figma, None, Some("mcp:connect")),
        (
            Provider::Snowflake,
            Some("session:role:all"),
            Some("refresh_token"),
        ),
        (
            Provider::Snowflake,
            Some("session:role:X"),
            Some("session:role:X refresh_token"),
        ),
    ];
    for (provider, chosen, expected) in table {
        assert_eq!(
            scope(provider, chosen).as_deref(),
            expected,
            "{provider:?} {chosen:?}"
        );
    }
}

#[test]
fn parameters_of_the_user_count_more() {
    let google = preset(Choice::Given(Provider::Google), "");
    let given = [("prompt".to_owned(), "none".to_owned())];
    let all = google.parameters(&given, Some("a"));
    let pairs: Vec<(&str, &str)> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("prompt", "none"), ("access_type", "offline")]);
    let slack = preset(Choice::Given(Provider::Slack), "");
    let user_scope = ("user_scope".to_owned(), "a b".to_owned());
    assert_eq!(slack.parameters(&[], Some("a b")), [user_scope]);
    assert!(slack.parameters(&[], None).is_empty());
}

#[test]
fn endpoints_are_assumed_for_one_of_them() {
    let issuer = "https://x.snowflakecomputing.com";
    let metadata = assumed(Choice::Guessed, issuer).unwrap();
    assert_eq!(metadata.issuer, issuer);
    let token = metadata.token_endpoint.as_str();
    assert_eq!(token, format!("{issuer}/oauth/token-request"));
    assert!(metadata.registration_endpoint.is_none());
    assert!(assumed(Choice::Guessed, "https://as.example").is_none());
    assert_eq!(
        ALL.iter()
            .filter(|preset| preset.endpoints.is_some())
            .count(),
        1
    );
}

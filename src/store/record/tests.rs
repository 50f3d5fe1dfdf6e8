use super::{Client, Key, Record, Tokens, Unreadable};
use crate::secret::Secret;

fn key() -> Key {
    Key {
        issuer: "https://as.example.com".to_owned(),
        client_id: "client".to_owned(),
        resource: "https://example.com/mcp".to_owned(),
        profile: "default".to_owned(),
        grant: None,
    }
}

fn record() -> Record {
    let mut record = Record::new(key());
    let mut tokens = Tokens::new(
        Secret::new("hunter-access".to_owned()),
        "Bearer".to_owned(),
        1000,
    );
    tokens.refresh = Some(Secret::new("hunter-refresh".to_owned()));
    tokens.expires_at = Some(4600);
    tokens.dpop_key = Some(Secret::new("hunter-key".to_owned()));
    record.tokens = Some(tokens);
    let mut client = Client::public("client".to_owned(), key().issuer);
    client.client_secret = Some(Secret::new("hunter-secret".to_owned()));
    record.client = Some(client);
    record.server_metadata = Some(serde_json::json!({"issuer": "https://as.example.com"}));
    record.initialize_result = Some(r#"{"protocolVersion":"2025-11-25"}"#.to_owned());
    record.servers.insert("https://example.com/mcp".to_owned());
    record.asked_scope = Some("read write".to_owned());
    record
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let text = record().to_text();
    let read = Record::from_text(&key(), text.expose().as_bytes()).unwrap();
    assert_eq!(read, record());
}

#[test]
fn debug_shows_no_secret() {
    let mut value = serde_json::to_value(record()).unwrap();
    value["tokens"]["later"] = "hunter-later".into();
    let record = Record::from_text(&key(), value.to_string().as_bytes()).unwrap();
    let shown = format!("{record:?}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(shown.contains("https://as.example.com"), "{shown}");
}

#[test]
fn a_record_without_servers_asked_scope_and_key_is_read_and_written_as_it_was() {
    let mut value = serde_json::to_value(record()).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.remove("servers").unwrap();
    fields.remove("asked_scope").unwrap();
    let tokens = fields["tokens"].as_object_mut().unwrap();
    tokens.remove("dpop_key").unwrap();
    let read = Record::from_text(&key(), value.to_string().as_bytes()).unwrap();
    assert!(read.servers.is_empty() && read.asked_scope.is_none());
    assert!(read.tokens.as_ref().unwrap().dpop_key.is_none());
    let again: serde_json::Value = serde_json::from_str(read.to_text().expose()).unwrap();
    assert_eq!(again, value);
}

#[test]
fn unknown_fields_survive() {
    let mut value = serde_json::to_value(record()).unwrap();
    value["later"] = 7.into();
    value["tokens"]["later"] = "x".into();
    value["client"]["later"] = "y".into();
    let read = Record::from_text(&key(), value.to_string().as_bytes()).unwrap();
    let again: serde_json::Value = serde_json::from_str(read.to_text().expose()).unwrap();
    assert_eq!(again, value);
}

#[test]
fn what_is_no_record_is_refused_without_quoting_it() {
    let damaged = br#"{"version":1,"key":"hunter"}"#;
    let wrong = Record::from_text(&key(), damaged).unwrap_err();
    assert!(matches!(wrong, Unreadable::Malformed(1, _)));
    assert!(!format!("{wrong} {wrong:?}").contains("hunter"));
    let newer = Record::from_text(&key(), br#"{"version":2,"tokens":"other"}"#);
    assert_eq!(newer, Err(Unreadable::Newer(2)));
    let mut other = key();
    other.profile = "work".to_owned();
    let text = record().to_text();
    let read = Record::from_text(&other, text.expose().as_bytes());
    assert_eq!(read, Err(Unreadable::OtherKey));
}

#[test]
fn the_account_name_is_stable_and_no_two_keys_share_one() {
    let name = key().account();
    assert_eq!(name.len(), 64);
    assert_eq!(
        name, "a18e10ef5a0d8114504ebd5ac3429bedbb7663448d4101be61d2cd97367efda1",
        "stored sign-ins would be lost"
    );
    let mut machine = key();
    machine.grant = Some("client_credentials".to_owned());
    assert_ne!(machine.account(), name);
    let mut moved = key();
    moved.client_id = "clien".to_owned();
    moved.resource = "thttps://example.com/mcp".to_owned();
    assert_ne!(moved.account(), name);
}

#[test]
fn a_record_of_before_grants_were_part_of_keys_is_read() {
    let text = r#"{"version":1,"key":{"issuer":"https://as.example.com","client_id":"client","resource":"https://example.com/mcp","profile":"default"},"grant":"client_credentials"}"#;
    let read = Record::from_text(&key(), text.as_bytes()).unwrap();
    assert_eq!(read.grant.as_deref(), Some("client_credentials"));
    let written = read.to_text();
    assert!(
        written.expose().contains(r#""profile":"default"}"#),
        "the key is as it was"
    );
}

//! The integration tests: the real binary against fake servers that misbehave on purpose. The
//! tools stand in `support`, with tests of their own in `selftest`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod addresses;
mod bad_answers;
mod call;
#[cfg(unix)]
mod call_edges;
mod call_terminal;
mod callback_page;
mod calls;
mod certificates;
mod completions;
mod config_file;
mod dependencies;
mod detection;
mod device_code;
mod device_refused;
mod doctor;
mod documents;
mod dpop;
mod enterprise;
mod era_detection;
mod event_forms;
mod everything;
mod fidelity;
mod full_disk;
mod generate;
mod header_command;
mod headers;
mod id_token;
mod import;
mod install;
mod keep_alive;
mod layers;
mod leaving;
mod lines;
mod listening;
mod login_logout;
mod logs;
mod lost_session;
mod machine;
mod machine_accounts;
mod migration;
mod modern;
mod new_client_old_server;
mod old_client_new_server;
mod outages;
mod providers;
mod provisional;
mod provisional_discover;
mod proxies;
mod readme;
mod redirects_and_cookies;
mod refresh;
mod relay;
mod resumption;
mod rmcp_peer;
mod selftest;
mod server_messages;
mod sessions;
mod sign_in;
mod sign_in_again;
mod sign_in_edges;
mod sign_in_hostile;
mod sign_in_refused;
mod sign_in_secrets;
mod sign_in_sse;
mod sse;
mod sse_loss;
mod step_up;
mod streamable_http;
#[allow(dead_code, reason = "a tool box: no test uses all of it")]
mod support;
mod threats;
mod tool_filter;
mod tools;
mod two_processes;
mod usage;
mod waits;
mod websocket;
mod websocket_loss;
mod workload;

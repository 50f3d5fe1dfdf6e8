//! What does not stand in the arguments of `mcp-remote` and is said to this program all the same; and what excludes what.

use super::{Moved, Reader};

impl Reader<'_> {
    /// A client that somebody registered by hand, or a document that names it, holds the address to come back to, of which
    /// port and host are `mcp-remote`'s own choice.
    pub(super) fn fixed_address(&mut self) {
        let has = |name: &str| self.took.iter().any(|took| took == name);
        let by_hand = has("static-oauth-client-info") || has("client-metadata-url");
        if !by_hand || has("client-credentials") || has("device-code") {
            return;
        }
        let (host, port) = (!has("host"), !self.out.iter().any(|(at, _)| *at == 0));
        let mut added = Vec::new();
        if port {
            let port = self.moved.seed.port().to_string();
            added.push(port.clone());
            self.out.push((0, vec![port]));
        }
        if host && self.around.host != "127.0.0.1" {
            let flag = ["--host".to_owned(), self.around.host.to_owned()];
            added.push(flag.join(" "));
            self.out.push((usize::MAX, flag.to_vec()));
        }
        if !added.is_empty() {
            self.note(format!(
                "{} added: the client is registered with the address that mcp-remote comes back to",
                added.join(" and ")
            ));
        }
    }

    /// What Node reads from the environment for `mcp-remote`.
    pub(super) fn node(&mut self) {
        let set = |name: &str| {
            let found = self.around.env.iter().find(|(own, _)| own == name);
            found
                .map(|(_, value)| value.as_str())
                .filter(|value| !value.is_empty())
        };
        let (authorities, verify) = (
            set("NODE_EXTRA_CA_CERTS"),
            set("NODE_TLS_REJECT_UNAUTHORIZED"),
        );
        if let Some(path) = authorities {
            self.keep(usize::MAX, "ca-file", Some(path));
            self.note("--ca-file added for NODE_EXTRA_CA_CERTS");
        }
        if verify == Some("0") {
            self.keep(usize::MAX, "insecure", None);
            self.note("--insecure added for NODE_TLS_REJECT_UNAUTHORIZED=0: anybody on the way can read and change everything");
        }
    }

    /// Leaves out what counts less where two exclude each other.
    pub(super) fn done(mut self) -> Moved {
        let excluded = [
            ("silent", "debug"),
            ("resource", "disable-resource-parameter"),
            ("client-metadata-url", "client-credentials"),
        ];
        for (loser, winner) in excluded {
            let has = |name: &str| self.took.iter().any(|took| took == name);
            if has(loser) && has(winner) {
                let flag = format!("--{loser}");
                self.out.retain(|(_, words)| words.first() != Some(&flag));
                self.note(format!("--{loser} is left out: --{winner} counts"));
            }
        }
        if self
            .took
            .iter()
            .any(|took| took == "disable-resource-parameter")
        {
            self.moved.seed.resource = None;
        }
        self.out.sort_by_key(|(at, _)| *at);
        let url = self.moved.seed.url.trim().to_owned();
        let words = self.out.into_iter().flat_map(|(_, words)| words);
        self.moved.args = std::iter::once(url).chain(words).collect();
        self.moved
    }
}

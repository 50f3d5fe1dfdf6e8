//! What the options of this program say of the files of `mcp-remote`.

use url::Url;

use super::flags::header_line;
use super::hash::Seed;
use crate::cli::args::Bridge;

impl Seed {
    /// What names the files of a sign-in with those options.
    pub fn of(bridge: &Bridge) -> Self {
        let given = &bridge.authorization;
        let lines = bridge.remote.header.iter().map(String::as_str);
        let files: Vec<String> = bridge
            .remote
            .header_file
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .collect();
        let in_files = files.iter().flat_map(|text| text.lines().map(str::trim));
        let in_files = in_files.filter(|line| !line.starts_with('#'));
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            url: bridge.server.clone().unwrap_or_default(),
            resource: given.resource.clone(),
            parameters: given.authorize_param.clone(),
            headers: in_files
                .chain(lines)
                .filter_map(header_line)
                .map(owned)
                .collect(),
            metadata_url: given.client_metadata_url.clone(),
            token_endpoint: given.token_endpoint.clone().map(Url::into),
        }
    }
}

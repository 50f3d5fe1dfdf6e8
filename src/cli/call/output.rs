//! The result of a call: text on stdout, files where they are asked for, notes on stderr for what is neither.

use std::ffi::OsString;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Exit, Fatal};
use crate::ui;

/// The result of `tools/call`.
#[derive(Debug, Deserialize)]
pub struct Outcome {
    #[serde(default)]
    content: Vec<Value>,
    #[serde(default, rename = "structuredContent")]
    structured: Option<Box<RawValue>>,
    #[serde(default, rename = "isError")]
    is_error: Option<bool>,
}

/// What was asked of the output.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Where files go.
    pub file: Option<&'a Path>,
    /// The whole result in place of its text.
    pub json: bool,
}

/// Something that belongs in a file.
struct File<'a> {
    kind: &'static str,
    mime: &'a str,
    data: Result<Vec<u8>, base64::DecodeError>,
}

impl Outcome {
    /// Reads a raw result; `None` when it is none of a call.
    pub fn read(raw: &str) -> Option<Self> {
        serde_json::from_str(raw).ok()
    }

    /// Whether the tool says that it failed.
    pub fn is_error(&self) -> bool {
        self.is_error == Some(true)
    }

    /// Puts everything where it belongs; `raw` is the whole result.
    ///
    /// # Errors
    /// A file or stdout cannot be written.
    pub fn show(&self, raw: &str, wanted: Wanted<'_>) -> Result<(), Fatal> {
        let mut text = String::new();
        let mut files = Vec::new();
        for block in &self.content {
            self.sort(block, &mut text, &mut files);
        }
        if self.content.is_empty() || (text.is_empty() && files.is_empty()) {
            if let Some(structured) = &self.structured {
                text = format!("{structured}\n");
            } else if self.content.is_empty() && !wanted.json {
                ui::note("the tool gave nothing back");
            }
        }
        if wanted.json {
            print(&format!("{raw}\n"))?;
            if let Some(path) = wanted.file {
                if files.is_empty() {
                    ui::note("the result has no files, so --output saved nothing");
                }
                save(path, &files)?;
            }
            return Ok(());
        }
        match wanted.file {
            // What a tool says of its failure is no reason to lose a file.
            Some(path) if files.is_empty() && !text.is_empty() && !self.is_error() => {
                write(path, text.as_bytes())?;
            }
            Some(path) => {
                print(&text)?;
                save(path, &files)?;
            }
            None => {
                print(&text)?;
                files.iter().for_each(hint);
            }
        }
        Ok(())
    }

    fn sort<'a>(&self, block: &'a Value, text: &mut String, files: &mut Vec<File<'a>>) {
        let of = |value: &'a Value, name: &str| value.get(name).and_then(Value::as_str);
        match of(block, "type").unwrap_or_default() {
            "text" => line(text, of(block, "text").unwrap_or_default()),
            kind @ ("image" | "audio") => files.push(File {
                kind: if kind == "image" { "an image" } else { "audio" },
                mime: of(block, "mimeType").unwrap_or_default(),
                data: decode(of(block, "data").unwrap_or_default()),
            }),
            "resource" => {
                let resource = block.get("resource").unwrap_or(block);
                match (of(resource, "text"), of(resource, "blob")) {
                    (Some(found), _) => line(text, found),
                    (None, blob) => files.push(File {
                        kind: "a resource",
                        mime: of(resource, "mimeType").unwrap_or_default(),
                        data: decode(blob.unwrap_or_default()),
                    }),
                }
            }
            "resource_link" => {
                let about = of(block, "title").or_else(|| of(block, "name"));
                let about = about.unwrap_or_default();
                let uri = of(block, "uri").unwrap_or_default();
                line(text, format!("{uri}  {about}").trim_end());
            }
            other => ui::note(&format!(
                "the result has content of the kind {:?}, which --json shows",
                ui::line(other)
            )),
        }
    }
}

fn line(text: &mut String, more: &str) {
    text.push_str(more);
    if !more.ends_with('\n') {
        text.push('\n');
    }
}

fn decode(data: &str) -> Result<Vec<u8>, base64::DecodeError> {
    let data: String = data.split_ascii_whitespace().collect();
    STANDARD.decode(data)
}

/// Writes to stdout: as it is where a program reads it, without what a terminal would obey where a person does.
fn print(text: &str) -> Result<(), Fatal> {
    if stdout().is_terminal() {
        ui::bytes(ui::text(text).as_bytes())
    } else {
        ui::bytes(text.as_bytes())
    }
}

/// Tells of what is not shown.
fn hint(file: &File<'_>) {
    let mime = ui::line(file.mime);
    let kind = file.kind;
    match &file.data {
        Ok(data) => {
            let size = bytesize::ByteSize(data.len() as u64);
            ui::note(&format!(
                "the result has {kind} ({mime}, {size}), which --output FILE saves"
            ));
        }
        Err(_) => ui::note(&format!(
            "the result has {kind} ({mime}) that is not valid base64"
        )),
    }
}

/// Writes all files, the first under the name that was given.
fn save(path: &Path, files: &[File<'_>]) -> Result<(), Fatal> {
    for (file, number) in files.iter().zip(1..) {
        match &file.data {
            Ok(data) => write(&named(path, number, file.mime), data)?,
            Err(wrong) => {
                return Err(Fatal {
                    exit: Exit::Failed,
                    message: format!("{} of the result is not valid base64: {wrong}", file.kind),
                    hint: Some("see what the server sent with --json".to_owned()),
                });
            }
        }
    }
    Ok(())
}

fn write(path: &Path, data: &[u8]) -> Result<(), Fatal> {
    std::fs::write(path, data).map_err(|wrong| Fatal {
        exit: Exit::Failed,
        message: format!("cannot write {}: {wrong}", path.display()),
        hint: Some("give a file that can be written with --output".to_owned()),
    })?;
    let size = bytesize::ByteSize(data.len() as u64);
    ui::note(&format!("saved {} ({size})", path.display()));
    Ok(())
}

/// `FILE.ext`, `FILE-2.ext`: the extension that was given, or else that of the type.
fn named(path: &Path, number: usize, mime: &str) -> PathBuf {
    let mut name: OsString = path.file_stem().unwrap_or_default().to_owned();
    if number > 1 {
        name.push(format!("-{number}"));
    }
    let plain = mime.split(';').next().unwrap_or_default().trim();
    let own = || {
        let usual = match plain {
            "audio/mpeg" => Some("mp3"),
            "image/jpeg" => Some("jpg"),
            "text/plain" => Some("txt"),
            other => mime2ext::mime2ext(other),
        };
        usual.map(OsString::from)
    };
    let extension = path.extension().map(ToOwned::to_owned).or_else(own);
    if let Some(extension) = extension {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::named;

    #[test]
    fn files_have_the_extension_that_was_given_or_that_of_their_type() {
        let table = [
            ("a.png", 1, "image/jpeg", "a.png"),
            ("a.png", 2, "image/jpeg", "a-2.png"),
            ("d/a", 1, "image/png", "d/a.png"),
            ("d/a", 3, "audio/wav; rate=1", "d/a-3.wav"),
            ("a", 1, "x/unheard-of", "a"),
            ("a.b.c", 2, "", "a.b-2.c"),
        ];
        for (path, number, mime, wanted) in table {
            let found = named(Path::new(path), number, mime);
            assert_eq!(found, Path::new(wanted), "{path}");
        }
    }
}

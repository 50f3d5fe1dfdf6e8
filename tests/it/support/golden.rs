//! Files that say what something is to look like. `BLESS=1` writes them anew.

use std::path::Path;

/// Compares with the file of that name under `tests/golden`.
#[track_caller]
pub fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("make the folder");
        std::fs::write(&path, found).expect("write the golden file");
        return;
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found,
        wanted,
        "not as in {}; BLESS=1 writes it anew",
        path.display()
    );
}

//! Entries in files of each format, and where hosts keep their files on each system.

mod files;
mod formats;
mod places;
mod properties;

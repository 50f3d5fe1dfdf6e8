//! What the loads are told.

use std::path::PathBuf;

use crate::harness::{self, Extent};

/// What the user wants.
pub struct Options {
    extent: Extent,
    /// The file for a picture of who comes back when.
    pub plot: Option<PathBuf>,
}

impl Options {
    /// Reads what is for the loads alone.
    pub fn of(asked: &harness::Options) -> anyhow::Result<Self> {
        let plot = asked.value("--plot")?.map(std::path::absolute);
        Ok(Self {
            extent: asked.extent,
            plot: plot.transpose()?,
        })
    }

    /// The number for the extent.
    pub fn pick<T>(&self, sample: T, whole: T) -> T {
        if self.extent == Extent::Whole {
            whole
        } else {
            sample
        }
    }
}

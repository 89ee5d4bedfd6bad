//! Files in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

use super::Files;

/// Files in memory. Clones are the same files.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>);

impl Memory {
    /// Puts a file there, in place of what it held.
    pub fn put(&self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) {
        self.all().insert(path.into(), content.into());
    }

    /// What a file holds; none if it is not there.
    pub fn get(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.all().get(path.as_ref()).cloned()
    }

    /// Removes a file.
    pub fn remove(&self, path: impl AsRef<Path>) {
        self.all().remove(path.as_ref());
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Vec<u8>>> {
        // Whole files at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files for Memory {
    fn read<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Vec<u8>>> {
        Box::pin(async move { self.get(path).ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }

    fn replace<'a>(&'a self, path: &'a Path, content: Vec<u8>) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            if path.ancestors().skip(1).any(|folder| self.get(folder).is_some()) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            self.put(path, content);
            Ok(())
        })
    }

    fn append<'a>(&'a self, path: &'a Path, content: Vec<u8>) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            self.all().entry(path.to_owned()).or_default().extend(content);
            Ok(())
        })
    }
}

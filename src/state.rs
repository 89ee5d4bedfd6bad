//! What a gateway keeps for its next start, in the folder that `runtime.state_dir` names.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::files::Files;

/// A folder of files, most of them small and one JSON document each. Nobody needs any of them: what is not there, cannot be read or is broken is
/// unknown, which the log tells, and what cannot be written is not kept.
#[derive(Debug)]
pub(crate) struct State {
    files: Arc<dyn Files>,
    /// Nothing is kept where there is none.
    folder: Option<PathBuf>,
    /// Of two writes of a file the later one stays.
    writing: Mutex<()>,
    /// Whether the last write failed, so that a full disk is told once.
    failing: AtomicBool,
}

impl State {
    /// What is kept in `folder`, which is made when something is first written.
    pub(crate) fn new(files: Arc<dyn Files>, folder: Option<PathBuf>) -> Self {
        Self { files, folder, writing: Mutex::default(), failing: AtomicBool::new(false) }
    }

    /// What was last kept under a name.
    pub(crate) async fn load<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let file = format!("{name}.json");
        let content = self.load_bytes(&file).await?;
        let read = serde_json::from_slice(&content);
        read.inspect_err(|error| warn!(%file, %error, "state is broken, and is ignored")).ok()
    }

    /// What a file holds, whoever wrote it.
    pub(crate) async fn load_bytes(&self, file: &str) -> Option<Vec<u8>> {
        let path = self.path(file)?;
        match self.files.read(&path).await {
            Ok(content) => Some(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                warn!(file = %path.display(), %error, "state cannot be read, and is ignored");
                None
            }
        }
    }

    /// Keeps `what` under a name, in place of what was kept there. Returns when it is on the disk, or cannot be put there.
    pub(crate) async fn keep<T: Serialize + Sync>(&self, name: &str, what: &T) {
        if !self.keeps() {
            return;
        }
        // Of two that are kept at once, the later is written later.
        let one_at_a_time = self.writing.lock().await;
        match serde_json::to_vec(what) {
            Ok(content) => self.write(&format!("{name}.json"), content).await,
            Err(error) => warn!(name, %error, "state cannot be written, and is not kept"),
        }
        drop(one_at_a_time);
    }

    /// Keeps these bytes in a file, as [`keep`](Self::keep) does. At most [`LENGTH_MAX`](crate::files::LENGTH_MAX) of them can be loaded.
    pub(crate) async fn keep_bytes(&self, file: &str, content: Vec<u8>) {
        let _one_at_a_time = self.writing.lock().await;
        self.write(file, content).await;
    }

    /// Whether anything is kept.
    pub(crate) fn keeps(&self) -> bool {
        self.folder.is_some()
    }

    async fn write(&self, file: &str, content: Vec<u8>) {
        let Some(path) = self.path(file) else { return };
        let kept = self.files.replace(&path, content).await;
        let (failing, file) = (kept.is_err(), path.display());
        let was_failing = self.failing.swap(failing, Ordering::Relaxed);
        match kept {
            Ok(()) if was_failing => info!(%file, "state is written again"),
            Err(error) if !was_failing => warn!(%file, %error, "state cannot be written, and is not kept"),
            Ok(()) | Err(_) => {}
        }
    }

    fn path(&self, file: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Memory;

    #[tokio::test]
    async fn what_was_kept_is_there_at_the_next_start() {
        let memory = Memory::default();
        let state = || State::new(Arc::new(memory.clone()), Some("/state".into()));
        assert_eq!(state().load::<Vec<u32>>("numbers").await, None);
        state().keep("numbers", &[1, 2]).await;
        state().keep("numbers", &[3]).await;
        state().keep("words", &["one"]).await;
        assert_eq!(state().load::<Vec<u32>>("numbers").await, Some(vec![3]));
        assert_eq!(memory.get("/state/words.json").unwrap(), br#"["one"]"#);
    }

    #[tokio::test]
    async fn what_is_broken_is_unknown_and_can_be_kept_again() {
        let memory = Memory::default();
        let state = State::new(Arc::new(memory.clone()), Some("/state".into()));
        for broken in ["", "[1, 2", "{}", "\0\0\0"] {
            memory.put("/state/numbers.json", broken);
            assert_eq!(state.load::<Vec<u32>>("numbers").await, None, "{broken:?}");
            state.keep("numbers", &[1]).await;
            assert_eq!(state.load::<Vec<u32>>("numbers").await, Some(vec![1]));
        }
    }

    #[tokio::test]
    async fn without_a_folder_nothing_is_kept_and_a_folder_that_is_none_harms_nobody() {
        let memory = Memory::default();
        memory.put("/file", "");
        for folder in [None, Some("/file".into())] {
            let state = State::new(Arc::new(memory.clone()), folder);
            state.keep("numbers", &[1]).await;
            assert_eq!(state.load::<Vec<u32>>("numbers").await, None);
        }
    }
}

//! Whether the files that a configuration was read from hold something else by now.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_128;

use crate::files::Files;

/// What files held, by a digest; those that could not be read held nothing.
pub(super) type Contents = BTreeMap<PathBuf, Option<u128>>;

/// The files of a configuration, which are looked at as a whole: a link that leads elsewhere, or a file in place of another, tells itself.
#[derive(Debug)]
pub(crate) struct Watch {
    files: Arc<dyn Files>,
    /// What was read of them.
    read: Contents,
    /// What made somebody read them again; not once more.
    told: Option<Contents>,
}

impl Watch {
    /// Looks at what a configuration was `read` from.
    pub(super) fn new(files: Arc<dyn Files>, read: Contents) -> Self {
        Self { files, read, told: None }
    }

    /// They were read again.
    pub(super) fn read_again(&mut self, read: Contents) {
        self.read = read;
    }

    /// Waits until they hold something else than what was read, and have done so for [`PAUSE`]: who writes one may not be done with it.
    /// Nothing is lost if the future is dropped.
    pub(crate) async fn changed(&mut self) {
        loop {
            sleep(PAUSE).await;
            let now = self.look().await;
            if now == self.read || self.told.as_ref() == Some(&now) {
                continue;
            }
            sleep(PAUSE).await;
            if self.look().await == now {
                self.told = Some(now);
                return;
            }
        }
    }

    async fn look(&self) -> Contents {
        let mut contents = Contents::new();
        for path in self.read.keys() {
            let content = self.files.read(path).await;
            contents.insert(path.clone(), digest(&content));
        }
        contents
    }
}

/// What a file holds.
pub(super) fn digest(content: &io::Result<impl AsRef<[u8]>>) -> Option<u128> {
    content.as_ref().ok().map(|content| xxh3_128(content.as_ref()))
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Memory;
    use tokio::time::timeout;

    fn watch(memory: &Memory) -> Watch {
        let read = ["/one", "/two"].map(|path| {
            let content = memory.get(path).ok_or_else(|| io::ErrorKind::NotFound.into());
            (path.into(), digest(&content))
        });
        Watch::new(Arc::new(memory.clone()), read.into())
    }

    async fn is_changed(watch: &mut Watch) -> bool {
        timeout(Duration::from_secs(2), watch.changed()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_told_once_whichever_file_it_is_in() {
        let memory = Memory::default();
        memory.put("/one", "1");
        let mut watch = watch(&memory);
        assert!(!is_changed(&mut watch).await);
        memory.put("/two", "2");
        assert!(is_changed(&mut watch).await);
        assert!(!is_changed(&mut watch).await, "it was told, and whoever heard it may have refused it");
        memory.remove("/one");
        assert!(is_changed(&mut watch).await);
        memory.put("/one", "1");
        memory.remove("/two");
        assert!(!is_changed(&mut watch).await, "it is as it was read");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_being_written_is_waited_for() {
        let memory = Memory::default();
        let mut watch = watch(&memory);
        let writing = async {
            for length in 1..20 {
                memory.put("/one", "x".repeat(length));
                sleep(PAUSE - Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            biased;
            () = watch.changed() => panic!("it is not written yet"),
            () = writing => {}
        }
        assert!(is_changed(&mut watch).await);
    }
}

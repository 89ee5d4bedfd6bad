//! How much memory the process may take.

use std::path::{Component, Path, PathBuf};

/// What gives a file's text, where there is such a file.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// The least of the machine's memory and what the process's control groups leave it, in bytes. Nothing where the system does
/// not tell.
pub(crate) fn available() -> Option<u64> {
    least(&|path| std::fs::read_to_string(path).ok())
}

fn least(read: Read<'_>) -> Option<u64> {
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let bounds = groups.lines().filter_map(|line| bound(line, read));
    bounds.chain(total(read)).min()
}

/// The machine's own.
fn total(read: Read<'_>) -> Option<u64> {
    let text = read(Path::new("/proc/meminfo"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The least bound of a control group, as a line of `/proc/self/cgroup` names it, and of those that it is in.
fn bound(line: &str, read: Read<'_>) -> Option<u64> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|one| one == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let names = Path::new(group).components().filter(|part| matches!(part, Component::Normal(_)));
    let mut place = PathBuf::from(root);
    let mut places = vec![place.clone()];
    for name in names {
        place.push(name);
        places.push(place.clone());
    }
    // A group without a bound says "max", or a number beyond any machine.
    places.iter().filter_map(|place| read(&place.join(file))?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is available on a system with these files.
    fn on(files: &[(&str, &str)]) -> Option<u64> {
        let text = |path: &Path| files.iter().find(|(name, _)| Path::new(name) == path);
        least(&|path| text(path).map(|(_, text)| (*text).to_owned()))
    }

    const MACHINE: (&str, &str) = ("/proc/meminfo", "MemTotal:       8 kB\nMemFree:  1 kB\n");

    #[test]
    fn a_machine_without_groups_has_all_its_memory() {
        assert_eq!(on(&[MACHINE]), Some(8192));
        assert_eq!(on(&[]), None);
    }

    #[test]
    fn the_least_bound_of_all_groups_around_holds() {
        let group = ("/proc/self/cgroup", "0::/system/larder.service\n");
        let own = ("/sys/fs/cgroup/system/larder.service/memory.max", "max\n");
        assert_eq!(on(&[MACHINE, group, own]), Some(8192));
        let around = ("/sys/fs/cgroup/system/memory.max", "4096\n");
        assert_eq!(on(&[MACHINE, group, own, around]), Some(4096));
        let container = [MACHINE, ("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/memory.max", "1024\n")];
        assert_eq!(on(&container), Some(1024));
    }

    #[test]
    fn groups_of_the_first_version_are_read_too() {
        let group = ("/proc/self/cgroup", "9:cpu:/a\n4:hugetlb,memory:/a\n0::/\n");
        let own = ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2048\n");
        assert_eq!(on(&[MACHINE, group, own]), Some(2048));
        let none = ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(on(&[MACHINE, group, none]), Some(8192));
    }
}

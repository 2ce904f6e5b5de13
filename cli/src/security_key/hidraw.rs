//! Why a key that the kernel sees cannot be used (Linux).
//!
//! "No key" and "no permission" look the same to a person and need different help. This looks at sysfs and at device
//! nodes only to explain a failure; keys are found through udev, never from here.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::KeyError;

/// Usage page of FIDO devices (HID Usage Tables; CTAP 2.1 §11.2.8.2).
const FIDO_USAGE_PAGE: u16 = 0xF1D0;

/// Where the kernel shows hidraw devices.
#[derive(Debug, Clone)]
pub(super) struct Hidraw {
    sysfs: PathBuf,
    dev: PathBuf,
}

impl Default for Hidraw {
    fn default() -> Self {
        Self { sysfs: "/sys/class/hidraw".into(), dev: "/dev".into() }
    }
}

impl Hidraw {
    /// Why a device that was enumerated could not be opened.
    pub(super) fn why_closed(&self, node: &Path) -> KeyError {
        match open(node).err().map(|error| error.kind()) {
            // It opens now: whoever held it let go.
            None | Some(io::ErrorKind::ResourceBusy) => KeyError::Busy,
            Some(io::ErrorKind::PermissionDenied) => KeyError::NoPermission { node: node.to_owned() },
            Some(io::ErrorKind::NotFound) if self.is_known(node) => KeyError::NoDeviceNode { node: node.to_owned() },
            Some(_) => KeyError::Unplugged,
        }
    }

    /// What keeps the first security key in sysfs from being used; `None` when there is no key, or nothing in its way.
    pub(super) fn unreachable_key(&self) -> Option<KeyError> {
        let entries = fs::read_dir(&self.sysfs).ok()?;
        entries.flatten().find_map(|entry| {
            let descriptor = fs::read(entry.path().join("device/report_descriptor")).ok()?;
            if !is_fido(&descriptor) {
                return None;
            }
            let node = self.dev.join(entry.file_name());
            match open(&node).err()?.kind() {
                io::ErrorKind::PermissionDenied => Some(KeyError::NoPermission { node }),
                io::ErrorKind::NotFound => Some(KeyError::NoDeviceNode { node }),
                _ => None,
            }
        })
    }

    fn is_known(&self, node: &Path) -> bool {
        node.file_name().is_some_and(|name| self.sysfs.join(name).exists())
    }
}

fn open(node: &Path) -> io::Result<fs::File> {
    fs::File::options().read(true).write(true).open(node)
}

/// Whether the first usage page of a report descriptor is FIDO's (HID 1.11 §6.2.2.2: short items).
fn is_fido(mut descriptor: &[u8]) -> bool {
    const USAGE_PAGE: u8 = 0b0000_0100;
    while let Some((&prefix, rest)) = descriptor.split_first() {
        let size = match prefix & 0b11 {
            3 => 4,
            size => usize::from(size),
        };
        let Some((data, next)) = rest.split_at_checked(size) else { return false };
        if prefix & !0b11 == USAGE_PAGE {
            return matches!(data, [low, high, ..] if u16::from_le_bytes([*low, *high]) == FIDO_USAGE_PAGE);
        }
        descriptor = next;
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const FIDO: &[u8] = &[0x06, 0xD0, 0xF1, 0x09, 0x01, 0xA1, 0x01];
    const MOUSE: &[u8] = &[0x05, 0x01, 0x09, 0x02, 0xA1, 0x01];

    fn tree(descriptor: &[u8]) -> (tempfile::TempDir, Hidraw) {
        let root = tempfile::tempdir().unwrap();
        let hidraw = Hidraw { sysfs: root.path().join("sys"), dev: root.path().join("dev") };
        fs::create_dir_all(hidraw.sysfs.join("hidraw3/device")).unwrap();
        fs::create_dir_all(&hidraw.dev).unwrap();
        fs::write(hidraw.sysfs.join("hidraw3/device/report_descriptor"), descriptor).unwrap();
        (root, hidraw)
    }

    #[test]
    fn a_key_without_a_device_node_is_not_no_key() {
        let (_root, hidraw) = tree(FIDO);
        let node = hidraw.dev.join("hidraw3");
        assert_eq!(hidraw.unreachable_key(), Some(KeyError::NoDeviceNode { node: node.clone() }));
        assert_eq!(hidraw.why_closed(&node), KeyError::NoDeviceNode { node });
    }

    #[test]
    fn a_key_that_may_be_opened_is_not_in_the_way() {
        let (_root, hidraw) = tree(FIDO);
        fs::write(hidraw.dev.join("hidraw3"), "").unwrap();
        assert_eq!(hidraw.unreachable_key(), None);
    }

    #[test]
    fn other_devices_are_not_security_keys() {
        assert_eq!(tree(MOUSE).1.unreachable_key(), None);
        assert_eq!(tree(&[]).1.unreachable_key(), None);
        assert_eq!(tree(&[0x06, 0xD0]).1.unreachable_key(), None);
    }

    #[test]
    fn a_node_that_is_gone_belongs_to_a_key_that_was_unplugged() {
        let (_root, hidraw) = tree(FIDO);
        assert_eq!(hidraw.why_closed(&hidraw.dev.join("hidraw9")), KeyError::Unplugged);
    }

    #[test]
    fn finds_the_usage_page_behind_other_items() {
        assert!(is_fido(&[0x75, 0x08, 0x06, 0xD0, 0xF1]));
        assert!(!is_fido(&[0x07, 0xD0]));
    }
}

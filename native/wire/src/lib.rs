//! What consensus members write into the log (`log.proto`) and say to each other (`link.proto`).
//!
//! `tinysns.v1.rs` is generated: `scripts/generate_wire` makes it and the Python of the same files. In one thing it is
//! not what the schema says: `Entry::commands`, which 0.1.0 wrote and nobody writes now, are left as they are, unread.
//! Bytes and messages look the same on the wire.

#[rustfmt::skip]
#[path = "tinysns.v1.rs"]
mod generated;

pub use generated::*;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use prost::Message;

    use super::*;

    /// session 7 (fixed64), number 1, login of "ada": an entry as 0.1.0 wrote it.
    const COMMAND: &[u8] = b"\x09\x07\0\0\0\0\0\0\0\x10\x01\x1a\x05\x0a\x03ada";

    #[test]
    fn entries_of_the_first_release_pass_unread() {
        let mut old = vec![0x0a, COMMAND.len() as u8];
        old.extend_from_slice(COMMAND);
        old.extend_from_slice(&[0x10, 42]);
        let entry = Entry::decode(&old[..]).expect("it is an Entry");
        assert_eq!((entry.time_unix_ns, entry.items.len()), (42, 0));
        assert_eq!(entry.commands, [Bytes::from_static(COMMAND)]);
        assert_eq!(entry.encode_to_vec(), old);
    }

    #[test]
    fn what_is_in_a_command_does_not_matter_here() {
        let garbled = [0x0a, 2, 0xff, 0xff, 0x1a, 4, 0x08, 3, 0x10, 9];
        let entry = Entry::decode(&garbled[..]).expect("commands are not looked into");
        assert_eq!((entry.items[0].origin, entry.items[0].ticket), (3, 9));
    }
}

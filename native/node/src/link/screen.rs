//! Looks through a raft message before the library parses it.
//!
//! protobuf 2.28 skips unknown groups by recursion without any limit: a frame full of opened groups would overflow the
//! stack, and with it end the process. Our schemas have no groups, so a message with one is none of ours.

use prost::encoding::{decode_key, decode_varint, WireType};

use super::frame::Garbled;

/// What a field of a message holds, as far as it matters here.
struct Nested {
    tag: u32,
    fields: &'static [Nested],
}

/// Of eraftpb.Message: entries, and a snapshot with metadata with a membership.
const MESSAGE: &[Nested] = &[
    Nested { tag: 7, fields: &[] },
    Nested { tag: 9, fields: &[Nested { tag: 2, fields: &[Nested { tag: 1, fields: &[] }] }] },
];

/// Err: it holds a group, or is no message at all.
pub fn check_message(message: &[u8]) -> Result<(), Garbled> {
    check(message, MESSAGE)
}

fn check(mut rest: &[u8], nested: &[Nested]) -> Result<(), Garbled> {
    const GARBLED: Garbled = Garbled("a raft message with something else in it");
    while !rest.is_empty() {
        let (tag, wire_type) = decode_key(&mut rest).map_err(|_| GARBLED)?;
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut rest).map_err(|_| GARBLED)?;
                0
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => {
                let length = decode_varint(&mut rest).map_err(|_| GARBLED)?;
                usize::try_from(length).map_err(|_| GARBLED)?
            }
            WireType::StartGroup | WireType::EndGroup => return Err(GARBLED),
        };
        let (value, behind) = rest.split_at_checked(length).ok_or(GARBLED)?;
        rest = behind;
        if let Some(inner) = nested.iter().find(|field| field.tag == tag && wire_type == WireType::LengthDelimited) {
            check(value, inner.fields)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use protobuf::Message as _;
    use raft::eraftpb::{ConfState, Entry, Message};

    use super::*;

    #[test]
    fn what_raft_says_passes() {
        let mut message =
            Message { from: 1, to: 2, term: 3, priority: -1, context: vec![0x0b; 9].into(), ..Message::default() };
        message.set_entries(vec![Entry { data: vec![0x0b; 100].into(), ..Entry::default() }].into());
        let metadata = message.mut_snapshot().mut_metadata();
        metadata.set_conf_state(ConfState { voters: vec![1, 2, 3], ..ConfState::default() });
        assert_eq!(check_message(&message.write_to_bytes().expect("it can be written")), Ok(()));
    }

    #[test]
    fn opened_groups_are_refused_wherever_they_are() {
        let groups = vec![0x0b; 1 << 20]; // field 1, a group begins
        assert!(check_message(&groups).is_err());
        for field in [0x3a, 0x4a] {
            let mut message = vec![field, 0x80, 0x80, 0x40]; // an entry or a snapshot of 1 MiB
            message.extend_from_slice(&groups);
            assert!(check_message(&message).is_err());
        }
    }
}

//! Usage: tinysns-wire-gen DESCRIPTOR_SET OUT_DIR
//!
//! Writes OUT_DIR/tinysns.v1.rs from what `protoc --descriptor_set_out --include_imports link.proto` wrote. Building the
//! service so needs no protoc, and changing its schema none but the one that makes the Python code.

use std::{env, error, fs};

use prost::Message;
use prost_types::field_descriptor_proto::Type;
use prost_types::FileDescriptorSet;

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [descriptors, out] = &arguments[..] else {
        return Err("usage: tinysns-wire-gen DESCRIPTOR_SET OUT_DIR".into());
    };
    let set = members_share(FileDescriptorSet::decode(&fs::read(descriptors)?[..])?)?;
    prost_build::Config::new().out_dir(out).bytes(["."]).compile_fds(set)?;
    Ok(())
}

/// Leaves what consensus members know: links and the log. What a command is, only the state machine knows; so those of
/// old entries become bytes, and the schema of commands is not needed here.
fn members_share(mut set: FileDescriptorSet) -> Result<FileDescriptorSet, &'static str> {
    set.file.retain(|file| file.name().ends_with("/link.proto") || file.name().ends_with("/log.proto"));
    let commands = set
        .file
        .iter_mut()
        .filter(|file| file.name().ends_with("/log.proto"))
        .flat_map(|file| {
            file.dependency.clear();
            &mut file.message_type
        })
        .filter(|message| message.name() == "Entry")
        .flat_map(|message| &mut message.field)
        .find(|field| field.name() == "commands")
        .ok_or("log.proto has no Entry.commands any more")?;
    commands.set_type(Type::Bytes);
    commands.type_name = None;
    Ok(set)
}

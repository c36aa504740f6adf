//! The files of the log, as raft-engine uses them: each call noted, and room for appends written in advance.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use raft_engine::env::{FileSystem, Handle, Permission, WriteExt};

use super::fail_stop;
use super::io_notes::IoNotes;

/// Room is written a page at a time. The kernel keeps what is written at once in one piece of its cache, and writes such a
/// piece whole whenever a part of it has changed.
const PAGE: usize = 4 << 10;

/// See the module.
pub struct NotedFiles {
    pub notes: Arc<IoNotes>,
}

/// An open file of the log.
pub struct NotedFile {
    file: File,
    notes: Arc<IoNotes>,
}

/// A position in it to read or write at.
pub struct Cursor {
    file: Arc<NotedFile>,
    offset: u64,
}

impl NotedFiles {
    fn noted(&self, file: Result<File>) -> Result<NotedFile> {
        Ok(NotedFile { file: file?, notes: self.notes.clone() })
    }
}

impl FileSystem for NotedFiles {
    type Handle = NotedFile;
    type Reader = Cursor;
    type Writer = Cursor;

    fn create<P: AsRef<Path>>(&self, path: P) -> Result<NotedFile> {
        // what is there is not cut: raft-engine makes its own mind up about it
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        self.noted(self.notes.call(|| options.open(path)))
    }

    fn open<P: AsRef<Path>>(&self, path: P, permission: Permission) -> Result<NotedFile> {
        self.noted(OpenOptions::new().read(true).write(permission == Permission::ReadWrite).open(path))
    }

    fn delete<P: AsRef<Path>>(&self, path: P) -> Result<()> {
        self.notes.call(|| std::fs::remove_file(path))
    }

    fn rename<P: AsRef<Path>>(&self, from: P, to: P) -> Result<()> {
        self.notes.call(|| std::fs::rename(from, to))
    }

    fn new_reader(&self, file: Arc<NotedFile>) -> Result<Cursor> {
        Ok(Cursor { file, offset: 0 })
    }

    fn new_writer(&self, file: Arc<NotedFile>) -> Result<Cursor> {
        Ok(Cursor { file, offset: 0 })
    }
}

impl Handle for NotedFile {
    fn truncate(&self, size: usize) -> Result<()> {
        self.notes.call(|| self.file.set_len(size as u64))
    }

    fn file_size(&self) -> Result<usize> {
        usize::try_from(self.file.metadata()?.len()).map_err(|_| Error::from(ErrorKind::FileTooLarge))
    }

    /// Returns only if the data is on the disk: whether a failed fsync left it there cannot be known, and a second one
    /// would not tell (ARCHITECTURE.md, rule 8).
    fn sync(&self) -> Result<()> {
        if let Err(error) = self.notes.fsync(|| self.file.sync_data()) {
            fail_stop(&format!("the log cannot be brought to the disk ({error})"));
        }
        Ok(())
    }
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.file.file.read_at(buffer, self.offset)?; // by any thread, and never judged: not noted
        self.offset += count as u64;
        Ok(count)
    }
}

impl Write for Cursor {
    fn write(&mut self, data: &[u8]) -> Result<usize> {
        let count = self.file.notes.call(|| self.file.file.write_at(data, self.offset))?;
        self.offset += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(offset) => (offset, 0),
            SeekFrom::Current(by) => (self.offset, by),
            SeekFrom::End(by) => (self.file.file.metadata()?.len(), by),
        };
        self.offset = from.checked_add_signed(by).ok_or(ErrorKind::InvalidInput)?;
        Ok(self.offset)
    }
}

impl WriteExt for Cursor {
    fn truncate(&mut self, size: usize) -> Result<()> {
        Handle::truncate(&*self.file, size)?;
        self.offset = size as u64;
        Ok(())
    }

    /// Makes room by writing it. Space that is merely reserved would do as well for the size, but each append into it
    /// would still have to change the file's metadata (ext4 and xfs mark what was written of it), and its fsync so costs
    /// a commit of the journal now and then. Appends into room that is on the disk already are overwrites.
    ///
    /// Measured by ../../examples/append.rs, p50 of appends that grow / into reserved space / into written room: on an
    /// ext4 image of the lab 1.6 / 0.7 / 0.4 ms, outside the lab 1.0 / 0.9 / 0.9.
    fn allocate(&mut self, offset: usize, size: usize) -> Result<()> {
        let (mut at, end) = (offset, offset + size);
        self.file.notes.call(|| {
            while at < end {
                let piece = &[0; PAGE][..PAGE.min(end - at)];
                self.file.file.write_all_at(piece, at as u64)?;
                at += piece.len();
            }
            Ok(())
        })
    }
}

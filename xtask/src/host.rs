//! What differs between Linux, macOS and Windows for the commands here.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use signal_hook::consts::{SIGINT, SIGTERM};

/// The name of npm's program. On Windows it is a batch file, which is only found with its ending.
pub(crate) const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// The name of Python's program.
pub(crate) const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// The signals that end a program: Ctrl-C first.
#[cfg(unix)]
pub(crate) const ENDING_SIGNALS: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
/// The signals that end a program: Ctrl-C first.
#[cfg(not(unix))]
pub(crate) const ENDING_SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// The Python of a virtual environment.
pub(crate) fn python_of(environment: &Path) -> PathBuf {
    environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// Lets a file be executed. What pip unpacks is not always.
#[cfg(unix)]
pub(crate) fn make_executable(file: &Path) -> std::io::Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(file, mode)
}

/// Lets a file be executed: Windows knows it by its ending.
#[cfg(windows)]
pub(crate) fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Makes `link` another path of a directory.
#[cfg(unix)]
pub(crate) fn link_directory(directory: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(directory, link)
}

/// Makes `link` another path of a directory.
#[cfg(windows)]
pub(crate) fn link_directory(directory: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_dir(directory, link)
}

/// Keeps Ctrl-C from the process that the command starts: it gets a process group of its own.
#[cfg(unix)]
pub(crate) fn shield_from_ctrl_c(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Keeps Ctrl-C from the process that the command starts: it gets a process group of its own.
#[cfg(windows)]
pub(crate) fn shield_from_ctrl_c(command: &mut Command) {
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    std::os::windows::process::CommandExt::creation_flags(command, CREATE_NEW_PROCESS_GROUP);
}

/// The signal that ended a program, if one did.
#[cfg(unix)]
pub(crate) fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// The signal that ended a program: there are none.
#[cfg(windows)]
pub(crate) fn signal(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// The rest of these commands compiles for every system, so it names none.
    #[test]
    fn only_this_file_uses_what_one_system_has() {
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut read = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("host.rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    assert!(!text.contains("std::os::"), "{} uses std::os", path.display());
                    read += 1;
                }
            }
        }
        assert!(read > 20);
    }
}

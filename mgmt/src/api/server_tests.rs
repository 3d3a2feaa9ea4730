//! A socket whose file goes away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::api::fake::fresh_dir;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn listener(path: &Path) -> Listener {
    Server::bind(path, Rights::Full).unwrap().listener
}

/// Whether what is at the path is this listener's.
async fn reaches(listener: &mut Listener, path: &Path) -> bool {
    let Ok(_stream) = UnixStream::connect(path).await else { return false };
    tokio::time::timeout(Duration::from_secs(1), listener.connection()).await.is_ok()
}

#[tokio::test]
async fn a_socket_that_is_removed_is_bound_again_with_its_directory() {
    let dir = fresh_dir();
    let path = dir.join("run").join("control.sock");
    let mut listener = listener(&path);
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o750)).unwrap();
    // As at the start: the directory is the one that was found.
    drop(listener);
    listener = self::listener(&path);
    assert!(reaches(&mut listener, &path).await);
    fs::remove_file(&path).unwrap();
    assert!(!reaches(&mut listener, &path).await);
    listener.look();
    assert!(reaches(&mut listener, &path).await);
    assert_eq!(mode(&path), 0o660);
    fs::remove_dir_all(&dir).unwrap();
    listener.look();
    assert!(reaches(&mut listener, &path).await);
    assert_eq!([mode(path.parent().unwrap()), mode(&path)], [0o750, 0o660]);
    drop(listener);
    assert!(!path.exists(), "the file goes with its owner");
    fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_connection_goes_on_while_its_socket_is_bound_again() {
    let dir = fresh_dir();
    let path = dir.join("control.sock");
    let mut listener = listener(&path);
    let client = UnixStream::connect(&path).await.unwrap();
    let (server, caller) = listener.connection().await.unwrap();
    assert_eq!(caller.and_then(|caller| caller.pid), i32::try_from(std::process::id()).ok());
    fs::remove_file(&path).unwrap();
    listener.look();
    client.writable().await.unwrap();
    assert_eq!(client.try_write(b"x").unwrap(), 1);
    server.readable().await.unwrap();
    assert_eq!(server.try_read(&mut [0]).unwrap(), 1);
    fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn what_is_in_the_place_of_a_socket_is_left_alone() {
    let dir = fresh_dir();
    let path = dir.join("control.sock");
    let mut first = listener(&path);
    fs::remove_file(&path).unwrap();
    let mut second = listener(&path);
    first.look();
    assert!(first.trouble.as_ref().is_some_and(|why| why.contains("another penstockd answers")));
    assert!(reaches(&mut second, &path).await);
    drop(first);
    assert!(reaches(&mut second, &path).await, "the other's file stays");

    fs::remove_file(&path).unwrap();
    fs::write(&path, "a file").unwrap();
    second.look();
    assert!(second.trouble.as_ref().is_some_and(|why| why.contains("is not a socket")));
    drop(second);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    fs::remove_dir_all(dir).unwrap();
}

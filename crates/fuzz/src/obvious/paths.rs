//! How servers read paths. Each function is one habit of one kind of server, on the decoded segments of a path.

use super::percent_decoded;

/// The decoded segments of a path. `None` where a server refuses it.
pub(crate) fn segments(raw: &str) -> Option<Vec<String>> {
    let inner = raw.strip_prefix('/')?;
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() {
        return Some(Vec::new());
    }
    inner.split('/').map(percent_decoded).collect()
}

/// A proxy has decoded the path already.
pub(crate) fn decoded_again(segments: &[String]) -> Vec<String> {
    segments.iter().map(|segment| percent_decoded(segment).unwrap_or_else(|| segment.clone())).collect()
}

/// A servlet container drops the parameters of each segment.
pub(crate) fn without_parameters(segments: &[String]) -> Vec<String> {
    segments.iter().map(|segment| segment.split(';').next().unwrap_or_default().to_owned()).collect()
}

/// A server that decodes before it splits finds a query or a fragment.
pub(crate) fn cut(segments: &[String]) -> Vec<String> {
    let whole = segments.join("/");
    let path = whole.split(['#', '?']).next().unwrap_or_default();
    path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

/// Windows ignores dots and spaces at the end of a name.
pub(crate) fn file_names(segments: &[String]) -> Vec<String> {
    let name = |segment: &String| {
        let name = segment.trim_end_matches(['.', ' ']);
        if name.is_empty() { segment.clone() } else { name.to_owned() }
    };
    segments.iter().map(name).collect()
}

/// A script answers for the path behind it.
pub(crate) fn behind_script(segments: &[String]) -> Vec<String> {
    match segments.split_first() {
        Some((first, rest)) if first.to_lowercase().ends_with(".php") => rest.to_vec(),
        _ => segments.to_vec(),
    }
}

/// What is behind a script is not part of its name.
pub(crate) fn script(segments: &[String]) -> Vec<String> {
    match segments.iter().position(|segment| segment.to_lowercase().ends_with(".php")) {
        Some(at) => segments.iter().take(at + 1).cloned().collect(),
        None => segments.to_vec(),
    }
}

/// The file with the data of a page is in its folder.
pub(crate) fn data_file(segments: &[String]) -> Vec<String> {
    match segments.split_last() {
        Some((last, rest)) if matches!(last.as_str(), "__data.json" | "_payload.json") => rest.to_vec(),
        _ => segments.to_vec(),
    }
}

/// The data of a page has the page's name and a suffix.
pub(crate) fn suffix(segments: &[String]) -> Vec<String> {
    let mut found = segments.to_vec();
    if let Some(last) = found.last_mut() {
        let name =
            [".json", ".html", ".data", ".txt", ".php"].iter().find_map(|suffix| last.strip_suffix(suffix));
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            *last = name.to_owned();
        }
    }
    found
}

/// The index of a folder is the folder.
pub(crate) fn index(segments: &[String]) -> Vec<String> {
    match segments.split_last() {
        Some((last, rest)) if last == "index" => rest.to_vec(),
        _ => segments.to_vec(),
    }
}

/// Case makes no difference.
pub(crate) fn lower_case(segments: &[String]) -> Vec<String> {
    segments.iter().map(|segment| segment.to_lowercase()).collect()
}

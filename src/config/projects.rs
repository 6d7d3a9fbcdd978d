//! The projects a person keeps: `$CODEX_HOME/outpost/projects.toml`, a name for a host and a folder on it.
//!
//! ```toml
//! [projects.shop]
//! host = "devbox"
//! path = "/home/me/shop"
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml_edit::{Item, Table, TableLike, value};

use super::toml_file::{self, TomlFile};
use crate::failure::{Code, Failure};
use crate::name::{self, Alias, Place, RemotePath};
use crate::paths::Local;

/// The name of the file in [`Local::outpost_dir`].
const FILE: &str = "projects.toml";

/// A folder on a host.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Project {
    /// The host.
    pub host: Alias,
    /// The folder there, as the remote resolved it.
    pub path: RemotePath,
}

/// The whole file, by name.
pub type Projects = BTreeMap<String, Project>;

/// Where the file is.
#[must_use]
pub fn path(local: &Local) -> PathBuf {
    local.outpost_dir().join(FILE)
}

/// Checks the name of a project: a word without a colon, so that it is never taken for `HOST:PATH`.
///
/// # Errors
/// [`Code::Usage`] with the reason.
pub fn checked_name(word: &str) -> Result<&str, Failure> {
    let usage = |said: &str| Failure::new(Code::Usage, format!("name a project '{}'", word.escape_debug())).said(said);
    if word.is_empty() || word.starts_with('-') {
        return Err(usage("a name is not empty and does not begin with '-'"));
    }
    match word.chars().find(|c| !(c.is_alphanumeric() || "._-+@".contains(*c))) {
        Some(_) => Err(usage("a name has letters, digits and . _ - + @ only")),
        None => Ok(word),
    }
}

/// Reads the file; a missing one is empty.
///
/// # Errors
/// [`Code::SettingsBroken`] with file, line and column.
pub fn load(local: &Local) -> Result<Projects, Failure> {
    let path = path(local);
    let file = TomlFile::read(&path, Code::SettingsBroken)?;
    let document = file.parse()?;
    let mut projects = Projects::new();
    for (key, item) in document.iter() {
        if key != "projects" {
            return Err(file
                .wrong(item.span(), format!("unknown key `{}`", key.escape_debug()))
                .hint("did you mean `projects`?"));
        }
        let table = item.as_table_like().ok_or_else(|| file.wrong(item.span(), "projects is not a table"))?;
        for (name, item) in table.iter() {
            checked_name(name).map_err(|e| file.wrong(item.span(), e.said))?;
            projects.insert(name.to_owned(), project(&file, item)?);
        }
    }
    Ok(projects)
}

fn project(file: &TomlFile, item: &Item) -> Result<Project, Failure> {
    let table = item.as_table_like().ok_or_else(|| file.wrong(item.span(), "a project is not a table"))?;
    if let Some((key, item)) = table.iter().find(|(key, _)| !["host", "path"].contains(key)) {
        let said = format!("unknown key `{}`", key.escape_debug());
        return Err(file.wrong(item.span(), said).hint("the keys are host, path"));
    }
    let host = word(file, item, table, "host")?.parse().map_err(|e| file.wrong(item.span(), e))?;
    let path = word(file, item, table, "path")?.parse().map_err(|e| file.wrong(item.span(), e))?;
    Ok(Project { host, path })
}

fn word<'a>(file: &TomlFile, at: &Item, table: &'a dyn TableLike, key: &str) -> Result<&'a str, Failure> {
    let word = table.get(key).and_then(Item::as_str);
    word.ok_or_else(|| file.wrong(at.span(), format!("`{key}` is missing or not a string")))
}

/// What a person wrote where a remote folder is wanted: `HOST:PATH`, or the name of a project.
///
/// # Errors
/// [`Code::NameUnknown`] with the near names; [`Code::Usage`] for what is neither.
pub fn place(local: &Local, word: &str) -> Result<Place, Failure> {
    if word.contains(':') {
        return word.parse().map_err(|e: name::BadName| Failure::new(Code::Usage, "take HOST:PATH").said(e));
    }
    let projects = load(local)?;
    let project = projects.get(word).ok_or_else(|| unknown(word, &projects))?;
    Ok(Place { alias: project.host.clone(), path: project.path.to_string() })
}

/// That no project goes by this name, with the near ones.
#[must_use]
pub fn unknown(word: &str, projects: &Projects) -> Failure {
    let near = name::nearest(word, projects.keys().map(String::as_str));
    let hint = match near.as_slice() {
        [] if projects.is_empty() => "write HOST:PATH, or name a folder with `outpost projects add HOST:PATH`".to_owned(),
        [] => "`outpost projects` lists them; HOST:PATH works everywhere too".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Failure::new(Code::NameUnknown, format!("find the project '{}'", word.escape_debug())).said("there is none").hint(hint)
}

/// A host that there is not, told to somebody who may have meant a project.
#[must_use]
pub fn or_meant(local: &Local, word: &str, unknown: Failure) -> Failure {
    match load(local).ok().and_then(|mut projects| projects.remove(word)) {
        Some(project) => unknown.hint(format!("{word} is a project, its host is {}", project.host)),
        None => unknown,
    }
}

/// Keeps a project under a name; one that goes by this name already is replaced.
///
/// # Errors
/// [`Code::SettingsBroken`]; a file that cannot be parsed is left alone.
pub fn put(local: &Local, name: &str, project: &Project) -> Result<(), Failure> {
    checked_name(name)?;
    change(local, |projects| {
        let mut table = Table::new();
        table.insert("host", value(project.host.as_str()));
        table.insert("path", value(project.path.as_str()));
        projects.insert(name, Item::Table(table));
    })
}

/// Forgets a project.
///
/// # Errors
/// [`Code::NameUnknown`] when there is none of this name.
pub fn remove(local: &Local, name: &str) -> Result<(), Failure> {
    let projects = load(local)?;
    if !projects.contains_key(name) {
        return Err(unknown(name, &projects));
    }
    change(local, |projects| drop(projects.remove(name)))
}

/// Gives a project another name.
///
/// # Errors
/// [`Code::NameUnknown`] when there is none of the old name, [`Code::Usage`] when the new one is taken.
pub fn rename(local: &Local, from: &str, to: &str) -> Result<(), Failure> {
    checked_name(to)?;
    let projects = load(local)?;
    if !projects.contains_key(from) {
        return Err(unknown(from, &projects));
    }
    if projects.contains_key(to) {
        return Err(Failure::new(Code::Usage, format!("name the project '{to}'")).said("there is one of this name already"));
    }
    change(local, |projects| {
        if let Some(project) = projects.remove(from) {
            projects.insert(to, project);
        }
    })
}

fn change(local: &Local, edit: impl FnOnce(&mut dyn TableLike)) -> Result<(), Failure> {
    // What is wrong already is told before it is built upon.
    load(local)?;
    toml_file::edit(&path(local), Code::SettingsBroken, |document| {
        let projects = document.entry("projects").or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        if let Some(projects) = projects.as_table_like_mut() {
            edit(projects);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(dir: &tempfile::TempDir) -> Local {
        let home = dir.path().to_owned();
        Local {
            home: home.clone(),
            user: "me".into(),
            codex_home: home,
            ssh_config: None,
            vars: std::collections::HashMap::new(),
        }
    }

    fn project(host: &str, path: &str) -> Project {
        Project { host: host.parse().expect("alias"), path: path.parse().expect("path") }
    }

    #[test]
    fn projects_come_go_and_are_found() {
        let dir = tempfile::tempdir().expect("dir");
        let local = local(&dir);
        assert!(load(&local).expect("none").is_empty());
        put(&local, "shop", &project("devbox", "/home/me/shop")).expect("put");
        put(&local, "blog", &project("devbox", "/srv/a b")).expect("put");
        assert_eq!(place(&local, "blog").expect("found").to_string(), "devbox:/srv/a b");
        assert_eq!(place(&local, "devbox:~/x").expect("parsed").path, "~/x");
        assert_eq!(place(&local, "shp").expect_err("unknown").hint, "did you mean shop?");
        rename(&local, "shop", "store").expect("renamed");
        assert_eq!(rename(&local, "store", "blog").expect_err("taken").code, Code::Usage);
        remove(&local, "blog").expect("removed");
        assert_eq!(remove(&local, "blog").expect_err("gone").code, Code::NameUnknown);
        assert_eq!(load(&local).expect("one").keys().collect::<Vec<_>>(), ["store"]);
    }

    #[test]
    fn a_broken_file_is_left_alone() {
        let dir = tempfile::tempdir().expect("dir");
        let local = local(&dir);
        crate::paths::write_private(&path(&local), b"[projects.a]\nhost = 'x'\npath = 'rel'\n").expect("written");
        let failure = put(&local, "b", &project("devbox", "/")).expect_err("broken");
        assert_eq!(failure.code, Code::SettingsBroken);
        assert!(std::fs::read_to_string(path(&local)).expect("there").contains("rel"));
    }

    #[test]
    fn names_are_words_without_a_colon() {
        for bad in ["", "-x", "a:b", "a/b", "a b", "a\u{1b}"] {
            assert!(checked_name(bad).is_err(), "{bad:?}");
        }
        assert!(checked_name("shop-2.größe").is_ok());
    }
}

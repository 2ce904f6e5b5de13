//! The custom resource definitions as the chart has them: templates, so that an upgrade of the chart upgrades them, with
//! the annotation that keeps them, and every object of theirs, when the chart is uninstalled.
//!
//! Helm never upgrades what is in a chart's `crds/`, and deletes what is in its templates; this is the way between the two.

use std::path::{Path, PathBuf};

use vouch_crds::Definition;

/// A definition cannot be made a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It has no form in YAML.
    #[error("{name} cannot be written as YAML")]
    Yaml {
        /// Which.
        name: String,
        /// Why not.
        #[source]
        source: serde_saphyr::SerializeError,
    },
    /// Its metadata is not what is expected: its name and nothing else.
    #[error("{name} must have its name for metadata, once and alone")]
    Metadata {
        /// Which.
        name: String,
    },
}

/// The folder of the chart.
#[must_use]
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/vouch")
}

/// The folder of the definitions in the chart. It holds nothing else.
#[must_use]
pub fn definitions() -> PathBuf {
    chart().join("templates/crds")
}

/// The text of the template.
///
/// # Errors
/// When the definition is not what [`vouch_crds`] makes.
pub fn template(definition: &Definition) -> Result<String, TemplateError> {
    let name = || definition.name.clone();
    let yaml = definition.to_yaml().map_err(|source| TemplateError::Yaml { name: name(), source })?;
    // Text in braces is Helm's.
    let yaml = yaml.replace("{{", "{{ \"{{\" }}");
    let metadata = format!("\nmetadata:\n  name: {}\nspec:\n", definition.name);
    let (head, spec) = yaml
        .split_once(&metadata)
        .filter(|_| yaml.matches(&metadata).count() == 1)
        .ok_or_else(|| TemplateError::Metadata { name: name() })?;
    let head: Vec<&str> = head.lines().filter(|line| !line.starts_with('#')).collect();
    Ok(format!(
        "# Generated from the types in crds/src by `make generate`.\n\
         {{{{- if .Values.crds.install }}}}\n\
         {}{metadata_name}\
         \x20 {{{{- include \"vouch.metadata\" (dict \"root\" $ \"annotations\" (dict \"helm.sh/resource-policy\" \"keep\")) | nindent 2 }}}}\n\
         spec:\n{spec}\
         {{{{- end }}}}\n",
        head.join("\n"),
        metadata_name = metadata.trim_end_matches("spec:\n"),
    ))
}

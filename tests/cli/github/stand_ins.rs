//! Stand-ins for the actions that upload, download and cache, which run on nothing but GitHub.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// An action of one script. The script finds each input in the variable in which GitHub's own actions do.
struct ActionStandIn {
    /// Where it is put; the action's place within a repository of its own comes last.
    folder: &'static str,
    inputs: &'static [&'static str],
    /// Names and expressions.
    outputs: &'static [(&'static str, &'static str)],
    script: &'static str,
}

const STAND_INS: [ActionStandIn; 5] = [
    ActionStandIn {
        folder: "upload",
        inputs: &["name", "path", "include-hidden-files"],
        outputs: &[],
        script: r#"mkdir -p "$ARTIFACTS/$INPUT_NAME" && cp -r "$INPUT_PATH/." "$ARTIFACTS/$INPUT_NAME""#,
    },
    // As version 7 is with `archive: false`: one file, whose name is the artifact's, and a name that is taken is
    // refused.
    ActionStandIn {
        folder: "upload-page",
        inputs: &["path", "archive", "retention-days"],
        outputs: &[("artifact-url", "steps.stand-in.outputs.url")],
        script: r#"file=$INPUT_PATH
folder=$ARTIFACTS/$(basename "$file")
[ "$INPUT_ARCHIVE" = false ] && [ -f "$file" ] && [ ! -e "$folder" ] && [ ! -e "$ARTIFACTS/../refuse-pages" ]
mkdir -p "$folder" && cp "$file" "$folder"
echo "url=https://github.com/octo-org/octo-repo/actions/runs/$GITHUB_RUN_ID/artifacts/77" >> "$GITHUB_OUTPUT"
"#,
    },
    ActionStandIn {
        folder: "download",
        inputs: &["name", "path"],
        outputs: &[],
        script: r#"mkdir -p "$INPUT_PATH" && cp -r "$ARTIFACTS/$INPUT_NAME/." "$INPUT_PATH""#,
    },
    ActionStandIn {
        folder: "cache-action/restore",
        inputs: &["path", "key"],
        outputs: &[
            ("cache-hit", "steps.stand-in.outputs.hit"),
            ("cache-primary-key", "inputs.key"),
        ],
        script: r#"folder=${INPUT_PATH/#\~/$HOME}
[ ! -d "$ARTIFACTS/../cache/$INPUT_KEY" ] || {
    rm -rf "$folder"
    cp -a "$ARTIFACTS/../cache/$INPUT_KEY" "$folder"
    echo hit=true >> "$GITHUB_OUTPUT"
}
"#,
    },
    ActionStandIn {
        folder: "cache-action/save",
        inputs: &["path", "key"],
        outputs: &[],
        script: r#"mkdir -p "$ARTIFACTS/../cache" && cp -a "${INPUT_PATH/#\~/$HOME}" "$ARTIFACTS/../cache/$INPUT_KEY""#,
    },
];

impl ActionStandIn {
    /// Its `action.yml`: JSON is YAML.
    fn definition(&self) -> Value {
        let object = |entries: Vec<(String, Value)>| Value::Object(entries.into_iter().collect());
        let inputs = self.inputs.iter().map(|name| (name.to_string(), json!({ "default": "" })));
        let variables = self.inputs.iter().map(|name| {
            let variable = format!("INPUT_{}", name.to_uppercase().replace('-', "_"));
            (variable, json!(format!("${{{{ inputs.{name} }}}}")))
        });
        let outputs = self.outputs.iter().map(|(name, expression)| {
            (name.to_string(), json!({ "value": format!("${{{{ {expression} }}}}") }))
        });
        let step = json!({
            "id": "stand-in", "shell": "bash", "run": self.script, "env": object(variables.collect()),
        });
        json!({
            "name": self.folder, "inputs": object(inputs.collect()), "outputs": object(outputs.collect()),
            "runs": { "using": "composite", "steps": [step] },
        })
    }
}

/// Writes all of them below a folder.
pub(crate) fn install(folder: &Path) {
    for action in &STAND_INS {
        let folder = folder.join(action.folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("action.yml"), action.definition().to_string()).unwrap();
    }
}

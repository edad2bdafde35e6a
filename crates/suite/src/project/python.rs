//! Programs of Flask, `FastAPI` and Django, under gunicorn or uvicorn where those are installed.

use std::sync::LazyLock;

use regex::Regex;

use crate::project::guess::{EvidentText, ProgramGuess};
use crate::project::tree::{ProjectFile, ProjectTree, TreeEvidence};

static APPLICATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^(\w+)\s*(?::\s*\w+\s*)?=\s*(?:\w+\.)?(Flask|FastAPI|Starlette)\(")
        .expect("a fixed expression")
});
static WSGI: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^(application)\s*=\s*get_wsgi_application\(").expect("a fixed expression")
});

/// What an application is served by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ServerInterface {
    /// Flask, Django.
    Wsgi,
    /// `FastAPI`, Starlette.
    Asgi,
}

/// The object that serves requests.
struct PythonApplication {
    /// `orders.app:application`.
    name: String,
    interface: ServerInterface,
    evidence: TreeEvidence,
}

/// Finds the application, and what serves it.
pub(super) fn program(tree: &ProjectTree) -> Option<ProgramGuess> {
    let manifests = ["requirements.txt", "pyproject.toml", "Pipfile", "setup.py"];
    let manifest = manifests.iter().find_map(|name| tree.file(name))?;
    let application = application(tree)?;
    let (install, place) = if tree.has("uv.lock") {
        ("uv sync --frozen", ".venv/bin/")
    } else if tree.has("poetry.lock") {
        ("poetry install --no-interaction", "poetry run ")
    } else if manifest.name() == "requirements.txt" {
        ("python3 -m venv .venv && .venv/bin/pip install --quiet -r requirements.txt", ".venv/bin/")
    } else {
        ("python3 -m venv .venv && .venv/bin/pip install --quiet .", ".venv/bin/")
    };
    Some(ProgramGuess {
        build: EvidentText::new(install, manifest.evidence(0)),
        start: start(tree, manifest, &application, place),
    })
}

fn start(
    tree: &ProjectTree,
    manifest: &ProjectFile,
    application: &PythonApplication,
    place: &str,
) -> Option<EvidentText> {
    let PythonApplication { name, interface, evidence } = application;
    let has = |library: &str| manifest.text.contains(library);
    let command = match interface {
        ServerInterface::Wsgi if has("gunicorn") => {
            format!("{place}gunicorn --workers 1 --bind 127.0.0.1:{{port}} {name}")
        }
        ServerInterface::Asgi if has("uvicorn") || has("fastapi[standard]") => {
            format!("{place}uvicorn {name} --host 127.0.0.1 --port {{port}}")
        }
        ServerInterface::Asgi if has("hypercorn") => {
            format!("{place}hypercorn {name} --bind 127.0.0.1:{{port}}")
        }
        ServerInterface::Wsgi if tree.has("manage.py") => {
            format!("{place}python manage.py runserver --noreload 127.0.0.1:{{port}}")
        }
        ServerInterface::Wsgi => format!("{place}flask --app {name} run --port {{port}}"),
        // No file shows what serves it.
        ServerInterface::Asgi => return None,
    };
    Some(EvidentText::new(command, evidence.clone()))
}

fn application(tree: &ProjectTree) -> Option<PythonApplication> {
    let module = |file: &ProjectFile| {
        let path = file.path.trim_end_matches(".py").trim_end_matches("/__init__");
        path.trim_start_matches("src/").replace('/', ".")
    };
    tree.ending(&[".py"]).find_map(|file| {
        let interface = match APPLICATION.captures(&file.text) {
            Some(found) if &found[2] == "Flask" => ServerInterface::Wsgi,
            Some(_) => ServerInterface::Asgi,
            None => ServerInterface::Wsgi,
        };
        let (object, evidence) = file.find(&APPLICATION).or_else(|| file.find(&WSGI))?;
        Some(PythonApplication { name: format!("{}:{object}", module(file)), interface, evidence })
    })
}

use std::fs;
use std::path::Path;

use crate::config::{self, ConfigOverrides};
use crate::project::{self, PortGuess, ProjectGuess};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn look(files: &[(&str, &str)]) -> ProjectGuess {
    project::look(folder(files).path())
}

/// The guesses as the configuration has them, which must be one that can be read.
fn written(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let text = config::initial(&project::look(folder.path()), None);
    let path = folder.path().join("xmlperf.toml");
    fs::write(&path, &text).unwrap();
    config::load(&path, &ConfigOverrides::default()).unwrap();
    let lines = text.lines().skip_while(|line| *line != "[target]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with("# shell ="));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn cargo_shows_the_program_and_its_sources_the_port() {
    let manifest = "[package]\nname = \"orders\"\nversion = \"0.1.0\"\n\n[dependencies]\n";
    let main = "fn main() {\n    let port = std::env::var(\"PORT\");\n    \
                let up = [\"/status\", \"/health\"];\n}\n";
    let text = written(&[
        ("Cargo.toml", manifest),
        ("Cargo.lock", ""),
        ("src/main.rs", main),
        ("tests/all.rs", "std::env::var(\"OTHER_PORT\")"),
    ]);
    insta::assert_snapshot!(text, @r#"
    build = "cargo build --release --locked"      # Cargo.toml:2
    start = "./target/release/orders"             # Cargo.toml:2
    port-env = "PORT"                             # src/main.rs:2
    ready = "/health"                             # src/main.rs:3
    "#);
}

#[test]
fn a_workspace_shows_the_member_that_has_a_program_and_clap_the_option() {
    let main = "struct Args {\n    /// Where to listen\n    #[arg(long, default_value_t = 80)]\n    port: u16,\n}\n";
    let text = written(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
        ("crates/core/Cargo.toml", "[package]\nname = \"core\"\n"),
        ("crates/core/src/lib.rs", ""),
        ("crates/server/Cargo.toml", "[package]\nname = \"server\"\n"),
        ("crates/server/src/main.rs", main),
    ]);
    insta::assert_snapshot!(text, @r#"
    build = "cargo build --release --bin server"  # crates/server/Cargo.toml:2
    start = "./target/release/server --port {port}" # crates/server/src/main.rs:4
    ready = { tcp = true }                        # no source names a health page
    "#);
}

#[test]
fn npm_shows_its_scripts() {
    let manifest = "{\n  \"name\": \"orders\",\n  \"scripts\": {\n    \"build\": \"tsc\",\n    \
                    \"start\": \"node dist/server.js\"\n  }\n}\n";
    let text = written(&[
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("src/server.ts", "const port = process.env.PORT ?? 3000;\napp.get('/healthz', up);\n"),
        ("node_modules/a/index.js", "process.env.APP_PORT"),
        (
            "docker-compose.yml",
            "services:\n  api:\n    build: .\n  db:\n    ports: [\"5432:5432\"]\n    image: postgres:17\n",
        ),
        ("Dockerfile", "FROM node:24\nEXPOSE 3000\n"),
    ]);
    insta::assert_snapshot!(text, @r#"
    build = "npm ci && npm run build"             # package.json:4
    start = "node dist/server.js"                 # package.json:5
    port-env = "PORT"                             # src/server.ts:1
    ready = "/healthz"                            # src/server.ts:2
    # Dockerfile:2 exposes port 3000: an image of it that is built beforehand can be measured by `image` and `port`.
    "#);
}

#[test]
fn a_compose_file_shows_services_whose_port_is_known() {
    let compose = "services:\n  db:\n    ports:\n      - \"5432:5432\"\n    image: registry.example/postgres:17\n\
                   \n  cache:\n    image: \"redis\"\n  other:\n    image: acme/thing:1\n";
    let guess = look(&[("compose.yaml", compose)]);
    let services: Vec<_> =
        guess.services.iter().map(|it| (it.name.as_str(), it.port, it.evidence.line)).collect();
    assert_eq!(services, [("db", 5432, 5), ("cache", 6379, 8)]);
}

#[test]
fn maven_and_gradle_show_the_jar_that_spring_makes() {
    let pom = "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n<parent>\n\
               <artifactId>spring-boot-starter-parent</artifactId>\n<version>4.0.1</version>\n</parent>\n\
               <artifactId>orders</artifactId>\n<version>1.2</version>\n<dependencies><dependency>\n\
               <artifactId>spring-boot-starter-actuator</artifactId></dependency></dependencies>\n\
               <build><plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins>\
               </build></project>\n";
    insta::assert_snapshot!(written(&[("pom.xml", pom), ("mvnw", "")]), @r#"
    build = "./mvnw --quiet --batch-mode -DskipTests package" # pom.xml:3
    start = "java -jar target/orders-1.2.jar --server.port={port}" # pom.xml:10
    ready = "/actuator/health"                    # pom.xml:9
    "#);
    let gradle =
        "plugins {\n    id 'org.springframework.boot' version '4.0.1'\n}\nversion = '0.3'\n";
    let files = [
        ("build.gradle", gradle),
        ("settings.gradle", "rootProject.name = 'orders'\n"),
        ("gradlew", ""),
    ];
    insta::assert_snapshot!(written(&files), @r#"
    build = "./gradlew --quiet bootJar"           # build.gradle:2
    start = "java -jar build/libs/orders-0.3.jar --server.port={port}" # build.gradle:2
    ready = { tcp = true }                        # no source names a health page
    "#);
}

#[test]
fn go_and_dotnet_show_theirs() {
    let main = "package main\n\nimport \"flag\"\n\nvar port = flag.Int(\"port\", 80, \"\")\n\nfunc main() {}\n";
    insta::assert_snapshot!(written(&[("go.mod", "module example.org/shop/orders\n"), ("cmd/api/main.go", main)]), @r#"
    build = "go build -trimpath -buildvcs=false -o bin/api ./cmd/api" # cmd/api/main.go:1
    start = "./bin/api -port {port}"              # cmd/api/main.go:5
    ready = { tcp = true }                        # no source names a health page
    "#);
    let project = "<Project Sdk=\"Microsoft.NET.Sdk.Web\">\n</Project>\n";
    let program = "app.MapHealthChecks(\"/healthz\");\n";
    insta::assert_snapshot!(written(&[("src/Orders/Orders.csproj", project), ("src/Orders/Program.cs", program)]), @r#"
    build = "dotnet publish src/Orders/Orders.csproj --configuration Release --output out -p:DebugType=none -p:IncludeSourceRevisionInInformationalVersion=false" # src/Orders/Orders.csproj:1
    start = "dotnet out/Orders.dll --urls http://127.0.0.1:{port}" # src/Orders/Orders.csproj:1
    ready = "/healthz"                            # src/Orders/Program.cs:1
    "#);
}

#[test]
fn python_shows_the_application_and_what_serves_it() {
    let app = "from flask import Flask\n\napp = Flask(__name__)\n\n@app.get(\"/health\")\n";
    let with = |requirements: &str| {
        let files = [("requirements.txt", requirements), ("orders/app.py", app)];
        written(&files).lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        with("flask==3.1\ngunicorn==23.0\n"),
        "start = \".venv/bin/gunicorn --workers 1 --bind 127.0.0.1:{port} orders.app:app\" # orders/app.py:3"
    );
    assert!(with("flask\n").contains(".venv/bin/flask --app orders.app:app run --port {port}"));
    let fast =
        [("requirements.txt", "fastapi\nuvicorn\n"), ("main.py", "api = fastapi.FastAPI()\n")];
    assert!(written(&fast).contains("uvicorn main:api --host 127.0.0.1 --port {port}"));
    let django = [
        ("requirements.txt", "django\n"),
        ("manage.py", ""),
        ("shop/wsgi.py", "application = get_wsgi_application()\n"),
    ];
    assert!(written(&django).contains("python manage.py runserver --noreload 127.0.0.1:{port}"));
}

#[test]
fn nothing_is_guessed_where_nothing_shows_it() {
    assert_eq!(look(&[]), ProjectGuess::default());
    assert_eq!(project::look(Path::new("/nonexistent")), ProjectGuess::default());
    // Neither a library, nor a front end, nor the port of a database.
    let library = [("Cargo.toml", "[package]\nname = \"a\"\n"), ("src/lib.rs", "\"DB_PORT\"")];
    assert_eq!(look(&library), ProjectGuess::default());
    let portless = [("package.json", "{\"scripts\": {\"start\": \"next start\"}}")];
    assert_eq!(look(&portless).port, PortGuess::Unknown);
    assert!(written(&portless).contains("# start = \"npm run start\""));
    let broken = [("package.json", "{"), ("pom.xml", "<project"), ("Cargo.toml", "[")];
    assert_eq!(look(&broken).start, None);
}

#[test]
fn a_link_around_the_folder_and_a_huge_file_are_left_out() {
    let folder = folder(&[("package.json", "{\"main\": \"a.js\"}")]);
    std::os::unix::fs::symlink(".", folder.path().join("again")).unwrap();
    fs::write(folder.path().join("a.js"), "x".repeat(300 << 10) + "process.env.PORT").unwrap();
    let guess = project::look(folder.path());
    assert_eq!(guess.start.unwrap().text, "node a.js");
    assert_eq!(guess.port, PortGuess::Unknown);
}

//! Keeps files as objects: S3, Google Cloud Storage, Azure, or a `WebDAV` server.
//!
//! An object is written only if there is none (`If-None-Match: *`), a pin only if it is still the
//! version that was read (`If-Match`), so the service itself decides between writers. Services cannot
//! *remove* on a condition; a pin is taken away by making it empty, and an empty object counts as none.
//! A request whose answer got lost is sent again, and what it did the first time is recognised.
//!
//! Credentials come from the environment, by the names that each service's own tools use; none stands in
//! an address, which is in the configuration and in every message.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use backon::Retryable as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{DnsFuture, DnsResolver, HttpClient, HttpConnector, ReqwestConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, CopyMode, CopyOptions, Error, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, ObjectStoreScheme, PutMode, PutOptions, RetryConfig, UpdateVersion,
};
use tokio::runtime::Runtime;
use units::text::error_chain;
use url::{Position, Url};

use crate::BaselineError;
use crate::backend::{
    CreateOutcome, FileContent, FileEntry, FileKind, StorageBackend, StorageProgress, SwapOutcome,
};

/// Addresses that can be opened.
pub(super) const FORMS: &str = "use a folder such as `baselines`, `git+branch://origin/xmlperf-baselines`, \
                                `s3://bucket/folder`, `gs://bucket/folder`, `az://container/folder`, or \
                                `https://host/folder` of a WebDAV server";
/// Requests that wait for their answers at the same time.
const AT_ONCE: usize = 16;
/// How often a change is made again after the service failed, each time after its client gave up.
const ATTEMPTS_MAX: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);
/// What is known of an answer.
const REASON_CHARS_MAX: usize = 400;

const NO_BUCKET: &str = "the bucket must exist: xmlperf does not create it";
/// What services answer where there is no bucket.
const MISSING: &[&str] = &["NoSuchBucket", "ContainerNotFound", "bucket does not exist"];
/// What they answer to who may not come in. The addresses are those at which a machine in a cloud is queried
/// for credentials, for want of any in the environment.
const LOCKED_OUT: &[&str] = &[
    "401 Unauthorized",
    "403 Forbidden",
    "AccessDenied",
    "169.254.169.254",
    "metadata.google.internal",
];

/// What the client says of a whole listing, for the sake of one object.
const NO_PATH: &[&str] = &["invalid path"];

/// A folder of a bucket.
pub(super) struct BucketBackend {
    location: String,
    service: BucketService,
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    runtime: Runtime,
    progress: StorageProgress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BucketService {
    S3,
    Google,
    Azure,
    WebDav,
}

/// An object that was read.
struct BucketObject {
    bytes: Vec<u8>,
    version: UpdateVersion,
}

impl std::fmt::Debug for BucketBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("location", &self.location).finish_non_exhaustive()
    }
}

impl BucketBackend {
    /// Returns the folder that a URL means. Nothing is sent to the service yet.
    pub(super) fn open(location: &str) -> Result<Self, BaselineError> {
        let wrong = |reason: String, hint: &str| BaselineError::BadLocation {
            location: location.to_owned(),
            reason,
            hint: hint.to_owned(),
        };
        let url = Url::parse(location).map_err(|error| wrong(error.to_string(), FORMS))?;
        let (scheme, prefix) = ObjectStoreScheme::parse(&url)
            .map_err(|_| wrong("its scheme is unknown, or it names no bucket".to_owned(), FORMS))?;
        let service = match scheme {
            ObjectStoreScheme::AmazonS3 => BucketService::S3,
            ObjectStoreScheme::GoogleCloudStorage => BucketService::Google,
            ObjectStoreScheme::MicrosoftAzure => BucketService::Azure,
            ObjectStoreScheme::Http => BucketService::WebDav,
            _ => return Err(wrong("its scheme is unknown".to_owned(), FORMS)),
        };
        let in_open = url.password().is_some()
            || (service == BucketService::WebDav && !url.username().is_empty());
        if in_open || url.query().is_some() || url.fragment().is_some() {
            let url = &url[..Position::BeforeUsername];
            return Err(BaselineError::BadLocation {
                location: format!("{url}…"),
                reason: "an address has no password, no `?` and no `#`".to_owned(),
                hint: service.credentials().to_owned(),
            });
        }
        let store = service
            .store(&url)
            .map_err(|error| wrong(in_short(&error.to_string()), service.credentials()))?;
        let runtime = threads::start_runtime(2)
            .map_err(|source| BaselineError::Threads { place: location.to_owned(), source })?;
        let location = location.trim_end_matches('/').to_owned();
        Ok(Self { location, service, store, prefix, runtime, progress: Arc::new(|_| {}) })
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn object(&self, path: &str) -> Path {
        path.split('/').fold(self.prefix.clone(), Path::join)
    }

    fn failed(&self, what: &'static str, path: &str, error: &Error) -> BaselineError {
        if let Some(source) = threads::refusal(error) {
            return BaselineError::Threads { place: self.place(path), source };
        }
        let said = error_chain(error);
        let hint = match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                self.service.credentials()
            }
            Error::NotFound { .. } => NO_BUCKET,
            Error::NotImplemented { .. } | Error::NotSupported { .. } => {
                "keep baselines where a change can be made on a condition: a folder, a branch, S3, \
                 Google Cloud Storage, Azure"
            }
            // A listing has no error of its own for these.
            _ if contains(&said, MISSING) => NO_BUCKET,
            _ if contains(&said, LOCKED_OUT) => self.service.credentials(),
            _ if contains(&said, NO_PATH) => {
                "an object there has a name that is no path: give baselines a folder of \
                 their own"
            }
            _ => "",
        };
        let (place, reason) = (self.place(path), in_short(&said));
        if hint.is_empty() {
            return BaselineError::Service { what, place, reason };
        }
        BaselineError::Denied { what, place, reason, hint: hint.to_owned() }
    }

    /// What an object holds; none if there is none, or an empty one.
    async fn held(
        &self,
        path: &str,
        bytes_max: u64,
    ) -> Result<Option<BucketObject>, BaselineError> {
        let failed = |error| self.failed("read", path, &error);
        let found = match self.store.get(&self.object(path)).await {
            Ok(found) => found,
            Err(Error::NotFound { source, .. }) if !contains(&source.to_string(), MISSING) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        if found.meta.size > bytes_max {
            return Err(BaselineError::Missing {
                place: self.place(path),
                reason: format!("it has {} bytes, at most {bytes_max}", found.meta.size),
            });
        }
        let version =
            UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = found.bytes().await.map_err(failed)?.to_vec();
        Ok(Some(BucketObject { bytes, version }))
    }

    async fn put(&self, path: &str, bytes: &[u8], mode: PutMode) -> Result<(), Error> {
        let options = PutOptions { mode, ..PutOptions::default() };
        self.store.put_opts(&self.object(path), bytes.to_vec().into(), options).await.map(drop)
    }

    /// Writes an object where there is none.
    async fn put_new(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        if self.service != BucketService::WebDav {
            return self.put(path, bytes, PutMode::Create).await;
        }
        // WebDAV knows no condition on what is uploaded, but one on what is copied.
        let (folder, _) = path.rsplit_once('/').unwrap_or(("", path));
        let upload = format!("{folder}/.upload-{}", units::hex(&super::clone::random()));
        self.put(&upload, bytes, PutMode::Overwrite).await?;
        let options = CopyOptions::new().with_mode(CopyMode::Create);
        let copied = self.store.copy_opts(&self.object(&upload), &self.object(path), options).await;
        // What stays behind has a name that nothing reads.
        let _ = self.store.delete(&self.object(&upload)).await;
        copied
    }

    async fn create_once(&self, path: &str, bytes: &[u8]) -> Result<CreateOutcome, BaselineError> {
        match self.put_new(path, bytes).await {
            Ok(()) => return Ok(CreateOutcome::New),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
            Err(error) => return Err(self.failed("write", path, &error)),
        }
        match self.held(path, u64::MAX).await? {
            Some(held) if held.bytes == bytes => Ok(CreateOutcome::AlreadyThere),
            // What the service has lost of an object is put right by writing it again.
            Some(held) => {
                let put = self.put(path, bytes, PutMode::Update(held.version)).await;
                put.map_err(|error| self.failed("write", path, &error))?;
                Ok(CreateOutcome::New)
            }
            None => Err(BaselineError::Contended { place: self.place(path) }),
        }
    }

    async fn swap_once(
        &self,
        path: &str,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<SwapOutcome, BaselineError> {
        let held = self.held(path, u64::MAX).await?;
        let there = held.as_ref().map(|held| &held.bytes[..]).filter(|bytes| !bytes.is_empty());
        if there == new {
            return Ok(SwapOutcome::Done);
        }
        if there != old {
            return Ok(SwapOutcome::Stale);
        }
        let mode = held.map_or(PutMode::Create, |held| PutMode::Update(held.version));
        match self.put(path, new.unwrap_or_default(), mode).await {
            Ok(()) => Ok(SwapOutcome::Done),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                // Or it was we, and the answer got lost.
                let held = self.held(path, u64::MAX).await?;
                let there = held.map(|held| held.bytes).filter(|bytes| !bytes.is_empty());
                Ok(if there.as_deref() == new { SwapOutcome::Done } else { SwapOutcome::Stale })
            }
            Err(error) => Err(self.failed("write", path, &error)),
        }
    }

    /// Does what may be done twice until it succeeds. The client repeats requests by itself, but not one
    /// that could have had an effect, nor one whose answer breaks off.
    async fn persist<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, BaselineError>
    where
        F: Future<Output = Result<T, BaselineError>>,
    {
        let pauses = (1..ATTEMPTS_MAX).map(|failures| PAUSE * failures);
        let mut failures = 0;
        attempt
            .retry(pauses)
            .sleep(tokio::time::sleep)
            .when(|error| {
                matches!(error, BaselineError::Service { .. } | BaselineError::Contended { .. })
            })
            .notify(|_, _| {
                failures += 1;
                (self.progress)(&format!("{} failed, trying again ({failures})", self.location));
            })
            .await
    }

    fn list<F>(
        &self,
        folder: &str,
        listing: impl Fn() -> F,
    ) -> Result<Vec<FileEntry>, BaselineError>
    where
        F: Future<Output = Result<Vec<ObjectMeta>, Error>>,
    {
        let objects = async || match listing().await {
            Ok(objects) => Ok(objects),
            // Of a server with folders, one in which nothing was kept yet.
            Err(Error::NotFound { .. }) if self.service == BucketService::WebDav => Ok(Vec::new()),
            Err(error) => Err(self.failed("list", folder, &error)),
        };
        let objects = self.wait(self.persist(objects))?;
        let file = |object: ObjectMeta| {
            let path: Vec<_> = object.location.prefix_match(&self.prefix)?.collect();
            let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
            let kind = FileKind::Plain(object.size);
            (object.size > 0).then(|| FileEntry { path: path.join("/"), kind })
        };
        let mut files: Vec<FileEntry> = objects.into_iter().filter_map(file).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
}

impl StorageBackend for BucketBackend {
    fn location(&self) -> &str {
        &self.location
    }

    fn place(&self, path: &str) -> String {
        if path.is_empty() { self.location.clone() } else { format!("{}/{path}", self.location) }
    }

    fn folder(&self, folder: &str) -> Result<Vec<FileEntry>, BaselineError> {
        let prefix = self.object(folder);
        self.list(folder, async || Ok(self.store.list_with_delimiter(Some(&prefix)).await?.objects))
    }

    fn all(&self) -> Result<Vec<FileEntry>, BaselineError> {
        (self.progress)(&format!("listing {}", self.location));
        self.list("", || self.store.list(Some(&self.prefix)).try_collect())
    }

    fn read(&self, paths: &[&str], bytes_max: u64) -> Result<Vec<FileContent>, BaselineError> {
        if paths.len() > AT_ONCE {
            (self.progress)(&format!("reading {} runs from {}", paths.len(), self.location));
        }
        let read = |path: String| async move {
            let held = self.persist(|| self.held(&path, bytes_max)).await?;
            Ok(held.map(|held| held.bytes).filter(|bytes| !bytes.is_empty()))
        };
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        Ok(self.wait(stream::iter(paths).map(read).buffered(AT_ONCE).collect()))
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<CreateOutcome, BaselineError> {
        self.wait(self.persist(|| self.create_once(path, bytes)))
    }

    fn swap(
        &self,
        path: &str,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<SwapOutcome, BaselineError> {
        self.wait(self.persist(|| self.swap_once(path, old, new)))
    }

    fn remove(&self, paths: &[&str]) -> Result<(), BaselineError> {
        let remove = |path: String| async move {
            let remove = async || match self.store.delete(&self.object(&path)).await {
                Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(self.failed("remove", &path, &error)),
            };
            self.persist(remove).await
        };
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        self.wait(stream::iter(paths).map(remove).buffer_unordered(AT_ONCE).try_collect())
    }

    fn tell(&mut self, progress: StorageProgress) {
        self.progress = progress;
    }
}

impl BucketService {
    /// What a person may set so that the service lets them in.
    fn credentials(self) -> &'static str {
        match self {
            Self::S3 => {
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (and AWS_ENDPOINT_URL for \
                 another service than Amazon's); the key must be allowed to list, get, put and delete"
            }
            Self::Google => {
                "set GOOGLE_SERVICE_ACCOUNT to the file of a key, or GOOGLE_SERVICE_ACCOUNT_KEY to the \
                 key; it must be allowed to list, get, create and delete objects"
            }
            Self::Azure => {
                "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or a SAS or a client by \
                 AZURE_…; it must be allowed to list, read, create, write and delete blobs"
            }
            Self::WebDav => "the server must let this machine in without a password",
        }
    }

    fn store(self, url: &Url) -> Result<Arc<dyn ObjectStore>, Error> {
        // Fails only where a provider is installed already, which then serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let retry = RetryConfig {
            backoff: BackoffConfig {
                max_backoff: Duration::from_secs(3),
                ..BackoffConfig::default()
            },
            max_retries: 8,
            retry_timeout: Duration::from_mins(1),
        };
        let address = url.as_str();
        Ok(match self {
            Self::S3 => Arc::new(
                AmazonS3Builder::from_env()
                    .with_url(address)
                    .with_retry(retry)
                    .with_http_connector(BucketConnector)
                    .build()?,
            ),
            Self::Google => Arc::new(
                GoogleCloudStorageBuilder::from_env()
                    .with_url(address)
                    .with_retry(retry)
                    .with_http_connector(BucketConnector)
                    .build()?,
            ),
            Self::Azure => Arc::new(
                MicrosoftAzureBuilder::from_env()
                    .with_url(address)
                    .with_retry(retry)
                    .with_http_connector(BucketConnector)
                    .build()?,
            ),
            Self::WebDav => {
                let options = ClientOptions::new().with_allow_http(url.scheme() == "http");
                let origin = &url[..Position::BeforePath];
                Arc::new(
                    HttpBuilder::new()
                        .with_url(origin)
                        .with_client_options(options)
                        .with_retry(retry)
                        .with_http_connector(BucketConnector)
                        .build()?,
                )
            }
        })
    }
}

/// Connects as usual, to addresses that are looked up without a thread of the runtime: it panics where
/// the system refuses one.
#[derive(Debug)]
struct BucketConnector;

impl HttpConnector for BucketConnector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient, Error> {
        let options = options.clone().with_dns_resolver(Arc::new(Self));
        ReqwestConnector::default().connect(&options)
    }
}

impl DnsResolver for BucketConnector {
    fn resolve(&self, host: &str) -> DnsFuture {
        let host = host.to_owned();
        Box::pin(async move {
            // The port is the client's business.
            let found = threads::look_up(&host, 0).await?;
            Ok(found.into_iter().map(|address| address.ip()).collect())
        })
    }
}

fn contains(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// One line of an answer that may be a page.
fn in_short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

//! An issuer that runs alone: a manifest and a database.

use std::sync::Arc;

use super::{Failure, ServeArgs, Signals, announce, background, stop};
use crate::{
    admin::declared::apply_declared,
    audit::Audit,
    clock::{Clock, SystemClock},
    command::open,
    config::Config,
    database::Database,
    http::server::Server,
    identity::secrets::Secrets,
    keys::KeyService,
    metrics::{MeteredStore, Metrics},
    outbox,
    reload::reload,
    state::{Issuer, Parts, SharedIssuer},
    store::{Store, cached::CachedStore, sqlite::SqliteStore},
};

pub(super) async fn serve(args: &ServeArgs, mut signals: Signals) -> Result<(), Failure> {
    let (config, database) = open::open(&args.files)?;
    open::own(database.claim(config.url.as_str()).await, &args.files)?;
    let front_end = args.files.front_end();
    config.notices().iter().for_each(|notice| tracing::warn!("{notice}"));
    if args.tls_cert.is_none() && config.trusted_proxies.is_empty() {
        tracing::warn!(
            "plain HTTP, and spec.http.trustedProxies names no proxy: give --tls-cert and --tls-key, or, behind a proxy that \
             ends TLS, name its network there; until then everybody shares the proxy's rate limit and address"
        );
    }
    let issuer = assemble(config, database.clone()).await?;
    let server = Server::start(SharedIssuer::clone(&issuer), args.options()).await?;
    let mut background = background(&issuer, front_end.clone());
    background.push(tokio::spawn(outbox::follow(SharedIssuer::clone(&issuer), database.clone())));
    announce(args, &server)?;
    signals.follow(async || reload(&issuer, &args.files.manifest.config, &front_end).await).await;
    stop(server, &background).await;
    open::settle(&database).await;
    tracing::info!("stopped");
    Ok(())
}

async fn assemble(config: Config, database: Database) -> Result<SharedIssuer, Failure> {
    let clock = Arc::new(SystemClock);
    let secrets = Secrets::load(&database).await?;
    let keys = KeyService::load(Arc::new(database.clone()), config.key_policy.clone(), clock.now()).await?;
    let metrics = Metrics::new();
    let audit = Audit::stdout().counting(metrics.events());
    let measured = MeteredStore::new(SqliteStore::new(database), metrics.store_meter());
    let store: Arc<dyn Store> = Arc::new(CachedStore::new(measured));
    apply_declared(&*store, &audit, &config.users, clock.now()).await?;
    Ok(Arc::new(Issuer::new(Parts { clock, config, keys, store, secrets, audit, metrics })))
}

//! The proxy, over real connections.

use std::sync::Arc;

use aws_standin::front;
use aws_standin::front::authority::Authority;
use aws_standin::standin::Standin;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Aws, Issuer};

/// A proxy in front of a stand-in, and the folder of its authority.
async fn proxy(standin: Arc<Standin>) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::open(folder.path()).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(front::serve(listener, standin, authority));
    (address, folder)
}

fn client(proxy: &str, root: &std::path::Path) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(&std::fs::read(root).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::CryptoProvider::install_default(provider.as_ref().clone());
    let proxy = reqwest::Proxy::https(format!("http://{proxy}")).unwrap();
    reqwest::Client::builder().tls_certs_only([root]).proxy(proxy).build().unwrap()
}

#[tokio::test]
async fn answers_as_aws_with_certificates_of_its_own_authority() {
    let aws = Aws::new(&[]);
    let (proxy, folder) = proxy(Arc::clone(&aws.standin)).await;
    let client = client(&proxy, &folder.path().join("ca.pem"));
    for host in ["sts.amazonaws.com", "iam.amazonaws.com", "sts.cn-north-1.amazonaws.com.cn"] {
        let response = client.get(format!("https://{host}/?Action=GetCallerIdentity")).send().await.unwrap();
        assert_eq!(response.status(), 403, "{host}");
        assert!(response.text().await.unwrap().contains("<Code>MissingAuthenticationToken</Code>"), "{host}");
    }
    let unknown = client.get("https://s3.us-east-1.amazonaws.com/").send().await.unwrap();
    assert_eq!(unknown.status(), 404);
}

#[tokio::test]
async fn tunnels_routed_hosts_unread() {
    let issuer = Issuer::start("issuer.example.com").await;
    let aws = Aws::new(&[&issuer]);
    let (proxy, _folder) = proxy(Arc::clone(&aws.standin)).await;
    let client = client(&proxy, issuer.root.path());
    let text = client.get("https://issuer.example.com/jwks").send().await.unwrap().text().await.unwrap();
    assert_eq!(text, r#"{"keys":[]}"#);
}

#[tokio::test]
async fn refuses_all_other_hosts_with_a_sentence() {
    let aws = Aws::new(&[]);
    let (proxy, _folder) = proxy(Arc::clone(&aws.standin)).await;
    let rows = [
        (
            "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
            "example.com:443 is neither AWS nor a routed host",
        ),
        (
            "CONNECT sts.amazonaws.com:80 HTTP/1.1\r\nHost: sts.amazonaws.com:80\r\n\r\n",
            "sts.amazonaws.com:80 is neither AWS",
        ),
        ("GET http://sts.amazonaws.com/ HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\r\n", "understands only CONNECT"),
    ];
    for (request, sentence) in rows {
        let mut stream = TcpStream::connect(&proxy).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1024];
        let mut read = 0;
        while !String::from_utf8_lossy(&answer[..read]).contains(sentence) {
            let more = stream.read(&mut answer[read..]).await.unwrap();
            assert!(more > 0, "{request}: {}", String::from_utf8_lossy(&answer[..read]));
            read += more;
        }
        assert!(answer.starts_with(b"HTTP/1.1 403"), "{request}");
    }
}

#[tokio::test]
async fn the_authority_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = std::fs::read(Authority::open(folder.path()).unwrap().path()).unwrap();
    let second = std::fs::read(Authority::open(folder.path()).unwrap().path()).unwrap();
    assert_eq!(first, second);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(folder.path().join("ca-key.pem")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

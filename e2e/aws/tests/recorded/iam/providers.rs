//! C.1: OIDC providers.

use super::{Account, refusal};
use crate::support::{Aws, Issuer, texts};

const THUMBPRINT: &str = "06B25927c42a721631c1efd9431e648fa62e1e39";

async fn create(account: &Account, url: &str, more: &[(&str, &str)]) -> Result<String, crate::support::Refusal> {
    let mut params = vec![("Url", url), ("ThumbprintList.member.1", THUMBPRINT)];
    params.extend(more);
    account
        .call("CreateOpenIDConnectProvider", &params)
        .await
        .map(|xml| texts(&xml, "OpenIDConnectProviderArn")[0].clone())
}

#[tokio::test]
async fn keeps_urls_as_recorded() {
    let account = Account::new();
    let rows = [
        ("https://issuer.example.com/path", "issuer.example.com/path"),
        ("https://issuer.example.com/path/", "issuer.example.com/path/"),
        ("https://issuer.example.com:443/port", "issuer.example.com/port"),
        ("https://Issuer.Example.com/Upper", "Issuer.Example.com/Upper"),
    ];
    for (given, kept) in rows {
        let arn = create(&account, given, &[]).await.unwrap();
        assert_eq!(arn, format!("arn:aws:iam::999999999999:oidc-provider/{kept}"));
        let shown = account.call("GetOpenIDConnectProvider", &[("OpenIDConnectProviderArn", &arn)]).await.unwrap();
        assert_eq!(texts(&shown, "Url"), [kept]);
        assert_eq!(texts(&shown, "CreateDate")[0].len(), "2026-01-01T00:00:00.000Z".len());
    }
    for odd in ["https://issuer.example.com/?q", "https://issuer.example.com/#f"] {
        assert_eq!(create(&account, odd, &[]).await.unwrap_err().parts(), ("InvalidInput", "Unknown"));
    }
    for (inferred, code) in
        [("http://issuer.example.com", "InvalidInput"), ("https://issuer.example.com:8443", "InvalidInput")]
    {
        assert_eq!(create(&account, inferred, &[]).await.unwrap_err().code, code);
    }
    assert_eq!(create(&account, "https://issuer.example.com/path", &[]).await.unwrap_err().code, "EntityAlreadyExists");
}

#[tokio::test]
async fn client_ids_are_a_set_with_order() {
    let account = Account::new();
    let ids = [("ClientIDList.member.1", "b"), ("ClientIDList.member.2", "a"), ("ClientIDList.member.3", "b")];
    let arn = create(&account, "https://issuer.example.com", &ids).await.unwrap();
    let arn = ("OpenIDConnectProviderArn", arn.as_str());
    account.call("AddClientIDToOpenIDConnectProvider", &[arn, ("ClientID", "a")]).await.unwrap();
    account.call("AddClientIDToOpenIDConnectProvider", &[arn, ("ClientID", "c")]).await.unwrap();
    account.call("RemoveClientIDFromOpenIDConnectProvider", &[arn, ("ClientID", "absent")]).await.unwrap();
    account.call("RemoveClientIDFromOpenIDConnectProvider", &[arn, ("ClientID", "b")]).await.unwrap();
    let shown = account.call("GetOpenIDConnectProvider", &[arn]).await.unwrap();
    assert!(shown.contains("<ClientIDList><member>a</member><member>c</member></ClientIDList>"), "{shown}");
    create(&account, "https://empty.example.com", &[("ClientIDList", "")]).await.unwrap();
}

#[tokio::test]
async fn thumbprints_are_kept_as_recorded() {
    let account = Account::new();
    let nonsense = "z".repeat(40);
    let arn = create(
        &account,
        "https://issuer.example.com",
        &[("ThumbprintList.member.2", &nonsense), ("ThumbprintList.member.3", THUMBPRINT)],
    )
    .await
    .unwrap();
    let arn = ("OpenIDConnectProviderArn", arn.as_str());
    let shown = account.call("GetOpenIDConnectProvider", &[arn]).await.unwrap();
    let lower = THUMBPRINT.to_lowercase();
    assert!(
        shown.contains(&format!("<member>{lower}</member><member>{nonsense}</member><member>{lower}</member>")),
        "{shown}"
    );
    let six: Vec<(String, &str)> =
        (1..=6).map(|number| (format!("ThumbprintList.member.{number}"), THUMBPRINT)).collect();
    let mut params = vec![arn];
    params.extend(six.iter().map(|(name, value)| (name.as_str(), *value)));
    assert_eq!(
        account.refused("UpdateOpenIDConnectProviderThumbprint", &params).await,
        refusal("InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
    );
    assert_eq!(
        account.refused("UpdateOpenIDConnectProviderThumbprint", &[arn, ("ThumbprintList", "")]).await,
        refusal("InvalidInput", "Thumbprint list must contain at least one entry.")
    );
}

#[tokio::test]
async fn without_a_thumbprint_the_host_is_contacted() {
    let issuer = Issuer::start("issuer.example.com").await;
    let aws = Aws::new(&[&issuer]);
    let admin = aws.account("999999999999");
    let account = Account { aws, admin };
    let xml = account.call("CreateOpenIDConnectProvider", &[("Url", &issuer.url)]).await.unwrap();
    let arn = texts(&xml, "OpenIDConnectProviderArn")[0].clone();
    let shown = account.call("GetOpenIDConnectProvider", &[("OpenIDConnectProviderArn", &arn)]).await.unwrap();
    let thumbprints = texts(&shown, "ThumbprintList");
    let thumbprint = thumbprints[0].trim_start_matches("<member>").trim_end_matches("</member>");
    assert!(thumbprint.len() == 40 && thumbprint.bytes().all(|byte| byte.is_ascii_hexdigit()), "{thumbprint}");
    let refusal =
        account.call("CreateOpenIDConnectProvider", &[("Url", "https://nowhere.example.com")]).await.unwrap_err();
    assert_eq!(refusal.code, "OpenIdIdpCommunicationError");
}

#[tokio::test]
async fn missing_providers_are_worded_in_two_ways() {
    let account = Account::new();
    let arn = "arn:aws:iam::999999999999:oidc-provider/issuer.example.com";
    let param = [("OpenIDConnectProviderArn", arn)];
    assert_eq!(
        account.refused("GetOpenIDConnectProvider", &param).await,
        refusal("NoSuchEntity", &format!("OpenIDConnect Provider not found for arn {arn}"))
    );
    assert_eq!(account.aws.last_call()["errorCode"], "NoSuchEntityException");
    create(&account, "https://issuer.example.com", &[]).await.unwrap();
    account.call("DeleteOpenIDConnectProvider", &param).await.unwrap();
    assert_eq!(
        account.refused("DeleteOpenIDConnectProvider", &param).await,
        refusal("NoSuchEntity", &format!("OpenId connect Provider {arn} cannot be found."))
    );
}

#[tokio::test]
async fn tag_keys_of_a_provider_keep_their_case() {
    let account = Account::new();
    let tags = [
        ("Tags.member.1.Key", "key"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.2.Key", "Key"),
        ("Tags.member.2.Value", "2"),
    ];
    let arn = create(&account, "https://issuer.example.com", &tags).await.unwrap();
    let arn = ("OpenIDConnectProviderArn", arn.as_str());
    account.call("UntagOpenIDConnectProvider", &[arn, ("TagKeys.member.1", "KEY")]).await.unwrap();
    let shown = account.call("ListOpenIDConnectProviderTags", &[arn]).await.unwrap();
    assert_eq!(texts(&shown, "Key"), ["Key", "key"]);
    assert_eq!(account.refused("TagOpenIDConnectProvider", &[arn, ("Tags", "")]).await.0, "InvalidInput");
    assert_eq!(account.refused("UntagOpenIDConnectProvider", &[arn, ("TagKeys", "")]).await.0, "InvalidInput");
}

//! The verifier against AWS's published test suite for Signature Version 4: requests that AWS's own signer made, in both
//! placements, and the same requests spoilt.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use http::Request;
use jiff::{SignedDuration, Timestamp};

use super::{Scope, SignedRequest};
use crate::wire::Fault;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SCOPE: Scope<'static> = Scope { region: "us-east-1", service: "service" };

/// Name and signed request.
const VECTORS: [(&str, &str); 20] = [
    (
        "get-vanilla (header)",
        r#"GET / HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"#,
    ),
    (
        "get-vanilla-query-order-key-case (header)",
        r#"GET /?Param2=value2&Param1=value1 HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"#,
    ),
    (
        "get-vanilla-query-order-encoded (header)",
        r#"GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1 HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"#,
    ),
    (
        "get-vanilla-empty-query-key (header)",
        r#"GET /?Param1=value1 HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"#,
    ),
    (
        "get-header-key-duplicate (header)",
        r#"GET / HTTP/1.1
Host:example.amazonaws.com
My-Header1:value2
My-Header1:value2
My-Header1:value1
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;x-amz-date, Signature=c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"#,
    ),
    (
        "get-header-value-order (header)",
        r#"GET / HTTP/1.1
Host:example.amazonaws.com
My-Header1:value4
My-Header1:value1
My-Header1:value3
My-Header1:value2
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;x-amz-date, Signature=08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"#,
    ),
    (
        "get-header-value-trim (header)",
        r#"GET / HTTP/1.1
Host:example.amazonaws.com
My-Header1: value1
My-Header2: "a   b   c"
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;my-header2;x-amz-date, Signature=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"#,
    ),
    (
        "get-unreserved (header)",
        r#"GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"#,
    ),
    (
        "get-relative-normalized (header)",
        r#"GET /example/.. HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"#,
    ),
    (
        "get-relative-relative-normalized (header)",
        r#"GET /example1/example2/../.. HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"#,
    ),
    (
        "get-slash-dot-slash-normalized (header)",
        r#"GET /./ HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"#,
    ),
    (
        "get-slashes-normalized (header)",
        r#"GET //example// HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"#,
    ),
    (
        "post-header-key-sort (header)",
        r#"POST / HTTP/1.1
Host:example.amazonaws.com
My-Header1:value1
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;x-amz-date, Signature=c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"#,
    ),
    (
        "post-vanilla-query (header)",
        r#"POST /?Param1=value1 HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"#,
    ),
    (
        "post-x-www-form-urlencoded (header)",
        r#"POST / HTTP/1.1
Content-Type:application/x-www-form-urlencoded
Host:example.amazonaws.com
Content-Length:13
X-Amz-Date:20150830T123600Z
x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date, Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b

Param1=value1"#,
    ),
    (
        "get-vanilla-with-session-token (header)",
        r#"GET / HTTP/1.1
Host:example.amazonaws.com
X-Amz-Security-Token:6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"#,
    ),
    (
        "get-vanilla (query)",
        r#"GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d HTTP/1.1
Host:example.amazonaws.com"#,
    ),
    (
        "get-vanilla-query-order-key-case (query)",
        r#"GET /?Param2=value2&Param1=value1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature=86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5 HTTP/1.1
Host:example.amazonaws.com"#,
    ),
    (
        "post-vanilla-query (query)",
        r#"POST /?Param1=value1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature=a9ef26247f293bffe40eeff86a0480ba8c14d31503b2e0c3399e3a16bf1a3682 HTTP/1.1
Host:example.amazonaws.com"#,
    ),
    (
        "get-vanilla-with-session-token (query)",
        r#"GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Security-Token=6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267&X-Amz-Signature=7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c HTTP/1.1
Host:example.amazonaws.com"#,
    ),
];

fn signing_time() -> Timestamp {
    "2015-08-30T12:36:00Z".parse().unwrap()
}

fn read(text: &str) -> (http::request::Parts, Vec<u8>) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let mut start = lines.next().unwrap().split(' ');
    let mut request = Request::builder().method(start.next().unwrap()).uri(start.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value);
    }
    (request.body(()).unwrap().into_parts().0, body.as_bytes().to_vec())
}

fn verdict(text: &str, secret: &str, scope: Scope<'_>, now: Timestamp) -> Result<(), Fault> {
    let (parts, body) = read(text);
    SignedRequest::read(&parts, &body)?.unwrap().verify(secret, scope, now)
}

#[test]
fn accepts_what_awss_signer_signed() {
    for (name, request) in VECTORS {
        assert_eq!(verdict(request, SECRET, SCOPE, signing_time()), Ok(()), "{name}");
    }
}

#[test]
fn refuses_each_of_them_once_anything_is_changed() {
    for (name, request) in VECTORS {
        let host = request.replace("Host:example.amazonaws.com", "Host:example.amazonaws.co");
        let method = if request.starts_with("GET ") {
            request.replacen("GET ", "PUT ", 1)
        } else {
            request.replacen("POST ", "PUT ", 1)
        };
        let body = format!("{request}\n\nmore");
        let parameter = if request.contains("/?") {
            request.replacen("/?", "/?added=1&", 1)
        } else {
            request.replacen(" HTTP", "?added=1 HTTP", 1)
        };
        for spoilt in [host, method, body, parameter] {
            assert_eq!(
                verdict(&spoilt, SECRET, SCOPE, signing_time()).unwrap_err().code,
                "SignatureDoesNotMatch",
                "{name}: {spoilt}"
            );
        }
        assert_eq!(
            verdict(request, "another secret", SCOPE, signing_time()).unwrap_err().code,
            "SignatureDoesNotMatch",
            "{name}"
        );
    }
}

#[test]
fn says_what_is_wrong_with_a_scope() {
    let (_, request) = VECTORS[0];
    let rows = [
        (Scope { region: "eu-west-1", ..SCOPE }, "Credential should be scoped to a valid region, not 'us-east-1'. "),
        (Scope { service: "sts", ..SCOPE }, "Credential should be scoped to correct service: 'sts'. "),
    ];
    for (scope, message) in rows {
        let fault = verdict(request, SECRET, scope, signing_time()).unwrap_err();
        assert_eq!(
            (fault.code.as_ref(), fault.status, fault.message.as_str()),
            ("SignatureDoesNotMatch", 403, message)
        );
    }
}

#[test]
fn a_header_lives_five_minutes_and_a_presigned_url_fifteen() {
    let header = VECTORS[0].1;
    let (_, query) = *VECTORS.iter().find(|(name, _)| *name == "get-vanilla (query)").unwrap();
    let at = |minutes: i64, seconds: i64| signing_time() + SignedDuration::from_secs(minutes * 60 + seconds);
    for (request, minutes) in [(header, 5), (query, 15)] {
        assert_eq!(verdict(request, SECRET, SCOPE, at(minutes, 0)), Ok(()));
        let fault = verdict(request, SECRET, SCOPE, at(minutes, 1)).unwrap_err();
        let expected = "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T";
        assert!(
            fault.message.starts_with(expected) && fault.message.ends_with(&format!(" - {minutes} min.)")),
            "{}",
            fault.message
        );
        assert_eq!(verdict(request, SECRET, SCOPE, at(-5, 0)), Ok(()));
    }
    assert_eq!(
        verdict(header, SECRET, SCOPE, at(-5, -1)).unwrap_err().message,
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"
    );
}

#[test]
fn says_what_is_missing_from_a_signature() {
    let request = VECTORS[0].1;
    let rows = [
        (
            request.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            "IncompleteSignature",
            "Unsupported AWS 'algorithm'",
        ),
        (
            request.replace("SignedHeaders=", "Headers="),
            "IncompleteSignature",
            "Authorization header requires 'SignedHeaders' parameter.",
        ),
        (
            request.replace("/aws4_request", ""),
            "IncompleteSignature",
            "Credential must have exactly 5 slash-delimited elements",
        ),
        (
            request.replace("X-Amz-Date:20150830T123600Z", "X-Amz-Date:now"),
            "IncompleteSignature",
            "Date must be in ISO-8601 'basic format'. Got 'now'.",
        ),
        (
            request.replace("SignedHeaders=host;", "SignedHeaders="),
            "SignatureDoesNotMatch",
            "'Host' or ':authority' must be a 'SignedHeader'",
        ),
    ];
    for (request, code, message) in rows {
        let fault = verdict(&request, SECRET, SCOPE, signing_time()).unwrap_err();
        assert_eq!(fault.code, code, "{request}");
        assert!(fault.message.starts_with(message), "{}", fault.message);
    }
}

#[test]
fn a_request_without_signature_is_unsigned() {
    let (parts, body) = read("GET /?Action=GetCallerIdentity HTTP/1.1\nHost:sts.amazonaws.com");
    assert!(SignedRequest::read(&parts, &body).unwrap().is_none());
}

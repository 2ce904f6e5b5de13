// Package pki issues what the programs of one cluster need to trust each other. Nothing else trusts it.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A cluster lives for a test or a day of work. Clocks that tests turn by a year must not end it.
const (
	lifetime = 10 * 365 * 24 * time.Hour
	backdate = 2 * 365 * 24 * time.Hour
)

// Authority signs every certificate of a cluster, and keeps the files in one folder.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// New makes an authority (ca.crt, ca.key) and the key of service accounts (sa.pub, sa.key) in dir.
func New(dir string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "cluster-ca"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign,
	}
	a := &Authority{dir: dir, key: key}
	der, err := a.sign(template, template, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return a, errors.Join(a.write("ca", der, key), a.serviceAccountKey())
}

// Open reads the authority that New left in dir.
func Open(dir string) (*Authority, error) {
	pair, err := readPair(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(pair[0])
	if err != nil {
		return nil, err
	}
	key, err := x509.ParseECPrivateKey(pair[1])
	if err != nil {
		return nil, err
	}
	return &Authority{dir: dir, cert: cert, key: key}, nil
}

func readPair(files ...string) ([][]byte, error) {
	var ders [][]byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, fmt.Errorf("%s holds no PEM block", file)
		}
		ders = append(ders, block.Bytes)
	}
	return ders, nil
}

func (a *Authority) sign(template, parent *x509.Certificate, public crypto.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-backdate)
	template.NotAfter = time.Now().Add(lifetime)
	return x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
}

// Issue writes name.crt and name.key, good for clients and for servers at hosts (names or addresses).
// Kubernetes reads the user from the common name and, unless it is empty, the group from the organization.
func (a *Authority) Issue(name, commonName, organization string, hosts ...string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: commonName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if organization != "" {
		template.Subject.Organization = []string{organization}
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := a.sign(template, a.cert, &key.PublicKey)
	if err != nil {
		return err
	}
	return a.write(name, der, key)
}

func (a *Authority) write(name string, der []byte, key *ecdsa.PrivateKey) error {
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		a.writePEM(name+".crt", "CERTIFICATE", der, 0o644),
		a.writePEM(name+".key", "EC PRIVATE KEY", private, 0o600),
	)
}

// The API server takes RSA and EC for this one; clients that read the tokens know RSA best.
func (a *Authority) serviceAccountKey() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	return errors.Join(
		a.writePEM("sa.pub", "PUBLIC KEY", public, 0o644),
		a.writePEM("sa.key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), 0o600),
	)
}

func (a *Authority) writePEM(name, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

// Kubeconfig issues a client certificate (client-FILE.crt) and writes a kubeconfig that holds it.
func (a *Authority) Kubeconfig(file, server, commonName, organization string) error {
	name := "client-" + filepath.Base(file)
	if err := a.Issue(name, commonName, organization); err != nil {
		return err
	}
	var encoded []any
	for _, part := range []string{"ca.crt", name + ".crt", name + ".key"} {
		b, err := os.ReadFile(filepath.Join(a.dir, part))
		if err != nil {
			return err
		}
		encoded = append(encoded, base64.StdEncoding.EncodeToString(b))
	}
	return os.WriteFile(file, fmt.Appendf(nil, kubeconfig, append([]any{server}, encoded...)...), 0o600)
}

const kubeconfig = `apiVersion: v1
kind: Config
current-context: cluster
clusters:
- name: cluster
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: user
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: cluster
  context: {cluster: cluster, user: user}
`

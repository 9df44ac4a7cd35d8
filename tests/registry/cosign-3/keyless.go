// Signatures without a key, by authorities of their own: those of sigstore-go's tests. Signs for the document of a file, and prints a trust
// root and bundles as JSON.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"
)

const (
	subject = "ann@example.com"
	issuer  = "https://accounts.example.com"
)

func main() {
	document, err := os.ReadFile(os.Args[1])
	check(err)
	statement := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"%x"}}],`+
		`"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`, sha256.Sum256(document))

	authorities, err := ca.NewVirtualSigstore()
	check(err)
	soon := time.Now().Add(time.Minute)
	bundled := func(entity *ca.TestEntity, err error) any {
		check(err)
		return bundled(authorities, entity)
	}
	bundles := map[string]any{
		"envelope, promised":   bundled(authorities.AttestAtTime(subject, issuer, statement, soon, false)),
		"message, promised":    bundled(authorities.SignAtTime(subject, issuer, document, soon)),
		"envelope, in Rekor 2": bundled(authorities.AttestAtTimeHashedRekordV2(subject, issuer, statement, soon)),
		"too late":             bundled(authorities.AttestAtTime(subject, issuer, statement, soon.Add(20*time.Minute), false)),
	}

	// Its certificates are in no certificate log.
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities.FulcioCertificateAuthorities(), nil,
		authorities.TimestampingAuthorities(), authorities.RekorLogs())
	check(err)
	written, err := trusted.MarshalJSON()
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"trustedRoot": json.RawMessage(written), "bundles": bundles}))
}

// bundled is what was signed as a bundle has it.
func bundled(authorities *ca.VirtualSigstore, entity *ca.TestEntity) any {
	content, err := entity.VerificationContent()
	check(err)
	certificate := map[string]any{"rawBytes": content.Certificate().Raw}
	logged, err := entity.TlogEntries()
	check(err)
	var entries []json.RawMessage
	for _, entry := range logged {
		written := entry.TransparencyLogEntry()
		if !entry.IsRekorV2() {
			// The entry keeps the log's promise to itself.
			promise, err := authorities.RekorSignPayload(tlog.RekorPayload{
				Body:           base64.StdEncoding.EncodeToString(written.CanonicalizedBody),
				IntegratedTime: written.IntegratedTime,
				LogIndex:       written.LogIndex,
				LogID:          hex.EncodeToString(written.LogId.KeyId),
			})
			check(err)
			written.InclusionPromise = &rekor.InclusionPromise{SignedEntryTimestamp: promise}
		}
		text, err := protojson.Marshal(written)
		check(err)
		entries = append(entries, text)
	}
	times, err := entity.Timestamps()
	check(err)
	var timestamps []any
	for _, time := range times {
		timestamps = append(timestamps, map[string]any{"signedTimestamp": time})
	}
	whole := map[string]any{
		"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{
			"certificate":               certificate,
			"tlogEntries":               entries,
			"timestampVerificationData": map[string]any{"rfc3161Timestamps": timestamps},
		},
	}
	signature, err := entity.SignatureContent()
	check(err)
	if envelope, is := signature.(*bundle.Envelope); is {
		whole["dsseEnvelope"] = envelope.Envelope
	} else {
		whole["messageSignature"] = map[string]any{"signature": signature.Signature()}
	}
	return whole
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Three calls of a CRM to scanbind, encrypted and dated: GetQrCode, GetBindInfo, Disconnect.
package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

var (
	encode   = base64.RawURLEncoding.EncodeToString
	decode   = base64.RawURLEncoding.Strict().DecodeString
	scanbind = setting("CRM_SCANBIND", "http://127.0.0.1:8080")
	client   = setting("CRM_CLIENT", "crm")
)

type object map[string]any

type sealedCall struct {
	Iat    int64  `json:"iat"`
	Jti    string `json:"jti"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  object `json:"query"`
	Body   object `json:"body"`
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func stop(message any) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}

func must[T any](value T, err error) T {
	if err != nil {
		stop(err)
	}
	return value
}

func random(size int) []byte {
	made := make([]byte, size)
	must(rand.Read(made))
	return made
}

func seal(content sealedCall, key cipher.AEAD) string {
	header := encode(must(json.Marshal(object{"alg": "dir", "enc": "A256GCM", "kid": client})))
	nonce := random(12) // a new one for each call
	sealed := key.Seal(nil, nonce, must(json.Marshal(content)), []byte(header))
	end := len(sealed) - key.Overhead()
	return strings.Join([]string{header, "", encode(nonce), encode(sealed[:end]), encode(sealed[end:])}, ".")
}

// open returns the plaintext; nil if it was not sealed with the key.
func open(text string, key cipher.AEAD) []byte {
	parts := strings.Split(text, ".")
	if len(parts) != 5 || parts[1] != "" {
		return nil
	}
	nonce, wrongNonce := decode(parts[2])
	ciphertext, wrongText := decode(parts[3])
	tag, wrongTag := decode(parts[4])
	// Open panics for a nonce of another length.
	if wrongNonce != nil || wrongText != nil || wrongTag != nil || len(nonce) != key.NonceSize() {
		return nil
	}
	plaintext, err := key.Open(nil, nonce, append(ciphertext, tag...), []byte(parts[0]))
	if err != nil {
		return nil
	}
	return plaintext
}

// unseal returns the body of the answer to the call jti; it stops if the answer is another one.
func unseal(text, jti string, key cipher.AEAD) []byte {
	plaintext := open(text, key)
	if plaintext == nil {
		stop("the answer cannot be opened")
	}
	var content map[string]json.RawMessage
	if err := json.Unmarshal(plaintext, &content); err != nil {
		stop(err)
	}
	body, given := content["body"]
	if len(content) != 2 || !given || string(content["jti"]) != `"`+jti+`"` {
		stop("this is the answer to another call")
	}
	return body
}

// call returns the body of the answer, null if it has none; it stops if the call is refused.
func call(method, path string, body object) []byte {
	block := must(aes.NewCipher(must(decode(os.Getenv("CRM_SEALING_KEY")))))
	key := must(cipher.NewGCM(block))
	jti := encode(random(16))
	sealed := seal(sealedCall{time.Now().Unix(), jti, method, path, object{}, body}, key)
	http.DefaultClient.Timeout = 10 * time.Second
	answer := must(http.Post(scanbind+"/v1/sealed", "application/jose", bytes.NewBufferString(sealed)))
	text := string(must(io.ReadAll(answer.Body)))
	if method == "DELETE" && answer.StatusCode == http.StatusNoContent {
		return []byte("null")
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		stop(text) // not sealed: for people and logs, never to decide by
	}
	return unseal(text, jti, key)
}

func main() {
	name, user := os.Args[1], os.Args[2]
	path := "/v1/bindings/" + url.PathEscape(user)
	calls := map[string]func() []byte{
		"GetQrCode": func() []byte {
			return call("POST", "/v1/tickets", object{"purpose": "bind", "user_id": user, "refresh": true})
		},
		"GetBindInfo": func() []byte { return call("GET", path, object{}) },
		"Disconnect":  func() []byte { return call("DELETE", path, object{}) },
	}
	fmt.Println(string(calls[name]()))
}

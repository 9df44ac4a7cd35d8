// Command pause holds the namespaces of a pod: it does nothing until it is told to end. `pause image FILE` writes an OCI archive with
// this very program as its only file, because where the cluster is built there may be nothing to pull an image from.
package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// name is what the container runtime calls the image.
const name = "sandbar.test/pause:1"

func main() {
	if len(os.Args) == 3 && os.Args[1] == "image" {
		if err := writeImage(os.Args[2]); err != nil {
			log.Fatal(err)
		}
		return
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}

type object = map[string]any

func writeImage(file string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	layer, err := archive([]entry{{"pause", 0o755, program}})
	if err != nil {
		return err
	}
	files := []entry{{"oci-layout", 0o644, encode(object{"imageLayoutVersion": "1.0.0"})}}
	blob := func(mediaType string, content []byte) object {
		digest := fmt.Sprintf("%x", sha256.Sum256(content))
		files = append(files, entry{"blobs/sha256/" + digest, 0o644, content})
		return object{"mediaType": mediaType, "digest": "sha256:" + digest, "size": len(content)}
	}
	layerBlob := blob("application/vnd.oci.image.layer.v1.tar", layer)
	manifest := blob("application/vnd.oci.image.manifest.v1+json", encode(object{
		"schemaVersion": 2,
		"mediaType":     "application/vnd.oci.image.manifest.v1+json",
		"config": blob("application/vnd.oci.image.config.v1+json", encode(object{
			"architecture": runtime.GOARCH,
			"os":           runtime.GOOS,
			"config":       object{"Entrypoint": []string{"/pause"}},
			"rootfs":       object{"type": "layers", "diff_ids": []any{layerBlob["digest"]}},
		})),
		"layers": []object{layerBlob},
	}))
	manifest["annotations"] = object{"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
	files = append(files, entry{"index.json", 0o644, encode(object{"schemaVersion": 2, "manifests": []object{manifest}})})
	image, err := archive(files)
	if err != nil {
		return err
	}
	return os.WriteFile(file, image, 0o644)
}

func encode(value object) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings, numbers, maps and slices of them
	}
	return text
}

type entry struct {
	name    string
	mode    int64
	content []byte
}

func archive(entries []entry) ([]byte, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, entry := range entries {
		header := &tar.Header{Name: entry.name, Mode: entry.mode, Size: int64(len(entry.content)), Typeflag: tar.TypeReg}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(entry.content); err != nil {
			return nil, err
		}
	}
	return buffer.Bytes(), writer.Close()
}

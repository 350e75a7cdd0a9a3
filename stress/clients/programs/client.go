// net/http with its defaults.
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func tell(question string, response *http.Response, err error) {
	check(err)
	body, err := io.ReadAll(response.Body)
	check(err)
	response.Body.Close()
	length := response.Header.Get("Content-Length")
	if length == "" {
		length = "-"
	}
	fmt.Printf("%s\t%d\t%s\t%s\n", question, response.StatusCode, length, base64.StdEncoding.EncodeToString(body))
}

func main() {
	address, folder := os.Args[1], os.Args[2]
	for _, path := range strings.Split(os.Args[3], ",") {
		response, err := http.Get(address + path)
		tell("GET "+path, response, err)
		response, err = http.Head(address + path)
		tell("HEAD "+path, response, err)
	}
	for _, pair := range strings.Split(os.Args[4], ",") {
		name, kind, _ := strings.Cut(pair, "=")
		content, err := os.ReadFile(folder + "/" + name)
		check(err)
		response, err := http.Post(address+"/v1/predict", kind, bytes.NewReader(content))
		tell(name, response, err)
	}
	content, err := os.ReadFile(folder + "/picture")
	check(err)
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	part, err := writer.CreateFormFile("files", "picture.png")
	check(err)
	part.Write(content)
	writer.Close()
	response, err := http.Post(address+"/v1/predict", writer.FormDataContentType(), &form)
	tell("form", response, err)
}
